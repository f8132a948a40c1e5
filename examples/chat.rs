//! A chat: what is typed notifies all who watch the room, an object, and what the others say is printed.

use std::io;
use std::process::ExitCode;
use std::thread;

use clap::Parser;
use rados::{Notification, Result, WatchEvent};

#[path = "common/mod.rs"]
mod common;

/// Says the lines of its input to all who are in the same room, and prints what they say
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    cluster: common::Cluster,

    /// The pool
    #[arg(short, long, default_value = "rbd")]
    pool: String,

    /// The object to meet at, made if need be
    #[arg(short, long, default_value = "lobby")]
    room: String,

    /// What the others call you
    #[arg(short, long)]
    name: String,
}

fn main() -> ExitCode {
    common::exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<(), Box<dyn std::error::Error>> {
    let conn = args.cluster.connect()?;
    let me = conn.instance_id()?;
    let pool = conn.ioctx(&args.pool)?;
    pool.write(&args.room, b"", 0)?;
    let mut watch = pool.watch(&args.room)?;
    println!("{} is in the room {}", args.name, args.room);
    // Ends with the program.
    thread::spawn(move || {
        while let Some(event) = watch.recv() {
            match event {
                WatchEvent::Notification(said) => hear(said, me),
                WatchEvent::Missed(count) => println!("({count} lines were missed)"),
                WatchEvent::Lost(error) => {
                    println!("({error})");
                    if let Err(error) = watch.rewatch() {
                        println!("({error})");
                    }
                }
                _ => {}
            }
        }
    });
    for line in io::stdin().lines() {
        let line = format!("{}: {}", args.name, line?);
        let reply = pool.notify(&args.room, line.as_bytes(), None)?;
        let others = reply.acks.iter().filter(|ack| ack.watcher.client != me);
        println!("{} heard it", others.count());
        if !reply.timed_out.is_empty() {
            println!("({} may not have)", reply.timed_out.len());
        }
    }
    Ok(())
}

/// Prints what somebody else said. Dropping the notification acknowledges it.
fn hear(said: Notification, me: u64) {
    if said.notifier() != me {
        println!("{}", String::from_utf8_lossy(said.payload()));
    }
}
