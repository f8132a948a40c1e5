//! Compares the libraries with C, fio and Python on the same operations.
//!
//! The programs take turns, several rounds long, so that what else the machine does meets all of them; each
//! round's rates are compared with each other, and of these ratios the median counts.

mod bulk;
mod instructions;
mod place;
mod program;
mod protocol;
mod table;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::place::Place;
use crate::protocol::{Api, Direction, Job};
use crate::table::Row;

/// A result whose error is for people.
type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Compares the libraries with C, fio and Python: operations a second, and instructions an operation
#[derive(Parser)]
#[command(name = "cargo xtask bench", args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Args)]
struct Options {
    /// Fewer and shorter rounds, and fewer queue depths: to see that it works
    #[arg(long)]
    quick: bool,

    /// Without a cluster: only on the libraries that complete operations at once
    #[arg(long)]
    stub_only: bool,

    /// Whole images instead: the examples export and import beside the command rbd
    #[arg(long)]
    bulk: bool,

    /// How often the programs take turns [default: 15, or 3 if quick; 5 of whole images]
    #[arg(long)]
    rounds: Option<usize>,

    /// How long each turn is [default: 0.3, or 0.1 if quick]
    #[arg(long)]
    seconds: Option<f64>,
}

#[derive(Subcommand)]
enum Command {
    /// The program in Rust that is compared with others
    #[command(hide = true)]
    Worker {
        conf: PathBuf,
        pool: String,
        image: String,
        area: u64,
    },
}

/// The size of the operations.
const SIZE: usize = 4096;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.command {
        Some(Command::Worker {
            conf,
            pool,
            image,
            area,
        }) => worker::serve(conf, pool, image, *area),
        None => compare(&cli.options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Options) -> Result {
    if options.bulk {
        return bulk::compare(options.rounds.unwrap_or(5));
    }
    let mut rows = Vec::new();
    let stub = Place::stub();
    measure(&stub, options, &mut rows)?;
    let mut counts = Vec::new();
    if program::there_is("valgrind") {
        for (api, direction) in KINDS {
            counts.push(instructions::count(&stub, api, direction)?);
        }
    } else {
        eprintln!("skipped, as valgrind is not installed: instructions");
    }
    if !options.stub_only {
        measure(&Place::cluster()?, options, &mut rows)?;
    }
    table::print(&rows, &counts);
    Ok(())
}

/// Every kind of operation.
const KINDS: [(Api, Direction); 4] = [
    (Api::Rados, Direction::Read),
    (Api::Rados, Direction::Write),
    (Api::Rbd, Direction::Read),
    (Api::Rbd, Direction::Write),
];

fn measure(place: &Place, options: &Options, rows: &mut Vec<Row>) -> Result {
    let depths: &[usize] = if options.quick {
        &[1, 64]
    } else {
        &[1, 16, 64, 256]
    };
    let rounds = options.rounds.unwrap_or(if options.quick { 3 } else { 15 });
    let seconds = options
        .seconds
        .unwrap_or(if options.quick { 0.1 } else { 0.3 });
    let mut programs = place.programs()?;
    for (api, direction) in KINDS {
        for &depth in depths {
            let job = Job {
                api,
                direction,
                depth,
                size: SIZE,
                most: u64::MAX,
                milliseconds: (seconds * 1e3) as u64,
            };
            eprintln!("{}: {job}", place.name());
            let warm_up = Job {
                milliseconds: job.milliseconds.min(100),
                ..job
            };
            let first = rows.len();
            for program in programs.iter().filter(|program| program.can(api)) {
                rows.push(Row {
                    place: place.name(),
                    job,
                    program: program.name(),
                    samples: Vec::new(),
                });
            }
            for round in 0..rounds {
                let anew = place.starts_programs_anew();
                if anew {
                    programs = place.programs()?;
                }
                let mut running: Vec<_> = programs
                    .iter_mut()
                    .filter(|program| program.can(api))
                    .collect();
                if anew || round == 0 {
                    for program in &mut running {
                        program.run(&warm_up)?;
                    }
                }
                for (program, row) in running.iter_mut().zip(&mut rows[first..]) {
                    row.samples.push(program.run(&job)?);
                }
            }
        }
    }
    Ok(())
}
