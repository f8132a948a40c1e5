//! Tells how a cluster is: its health, its daemons' versions, its monitors; then follows its log.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use rados::{Command, LogEvent, LogLevel, Result};
use serde_json::Value;

#[path = "common/mod.rs"]
mod common;

/// Tells how a cluster is, and follows its log
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    cluster: common::Cluster,

    /// How long to follow the log
    #[arg(short, long, value_name = "SECONDS", default_value_t = 5.0, value_parser = seconds)]
    seconds: f64,

    /// Ends after so many lines of the log
    #[arg(short, long, value_name = "COUNT")]
    lines: Option<usize>,
}

fn seconds(text: &str) -> std::result::Result<f64, String> {
    let seconds = text.parse().map_err(|error| format!("{error}"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    Ok(seconds)
}

fn main() -> ExitCode {
    common::exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<()> {
    let conn = args.cluster.connect()?;
    let mut log = conn.log(LogLevel::Info)?;

    let health = conn.health()?;
    println!("health: {}", health.status);
    for check in health.checks {
        println!("  {}: {}", check.code, check.summary);
    }
    for version in conn.versions()? {
        let (count, daemon) = (version.count, version.daemon);
        println!("{count} {daemon}: {}", version.version);
    }
    let map = Command::new("mon dump").format_json();
    let map: Value = conn.mon_command(&map, b"")?.json()?;
    for mon in map["mons"].as_array().into_iter().flatten() {
        let name = mon["name"].as_str().unwrap_or_default();
        // One that does not answer is told of, and no reason to stop.
        match conn.monitor_status(name) {
            Ok(status) => println!("mon.{name}: {}, quorum {:?}", status.state, status.quorum),
            Err(error) => println!("mon.{name}: {error}"),
        }
    }

    let end = Instant::now() + Duration::from_secs_f64(args.seconds);
    let mut left = args.lines.unwrap_or(usize::MAX);
    while left > 0 {
        let wait = end.saturating_duration_since(Instant::now());
        match log.recv_timeout(wait) {
            Some(LogEvent::Line(line)) => {
                let level = line
                    .level
                    .map_or_else(String::new, |level| level.to_string());
                println!("log: {} {level} {}", line.name, line.message);
                left -= 1;
            }
            Some(LogEvent::Lagged(lines)) => println!("log: {lines} lines missed"),
            Some(_) => {}
            None => break,
        }
    }
    Ok(())
}
