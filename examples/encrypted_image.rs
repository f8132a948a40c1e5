//! An encrypted image: makes one, writes lines of text into it, and reads them again, with a passphrase that no
//! argument shows.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rados::IoCtx;
use rbd::{EncryptionAlgorithm, EncryptionFormat, Image, Passphrase};

#[path = "common/mod.rs"]
mod common;

/// Makes an encrypted image, writes text into it, and reads that again
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    cluster: common::Cluster,

    /// The pool
    #[arg(short, long, default_value = "rbd")]
    pool: String,

    /// The image
    #[arg(short, long, default_value = "secret")]
    image: String,

    /// The file that the passphrase is in, without a line's end
    #[arg(long, value_name = "FILE")]
    passphrase: PathBuf,

    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Creates the image with room for so many bytes, and formats it with LUKS 2
    Create {
        /// How many
        size: u64,
    },
    /// Writes what comes from the standard input at the start of the image
    Write,
    /// Prints the text at the start of the image
    Read,
}

/// The bytes that LUKS 2 takes for itself, in objects of 4 MiB.
const HEADER: u64 = 16 << 20;

fn main() -> ExitCode {
    common::exit(run(&Args::parse()))
}

fn run(args: &Args) -> Result<(), Box<dyn std::error::Error>> {
    let passphrase = Passphrase::new(std::fs::read(&args.passphrase)?);
    let pool = args.cluster.connect()?.ioctx(&args.pool)?;
    match args.action {
        Action::Create { size } => {
            rbd::create(&pool, &args.image, size + HEADER)?;
            let image = Image::open(&pool, &args.image)?;
            let (format, algorithm) = (EncryptionFormat::Luks2, EncryptionAlgorithm::Aes256);
            image.encryption_format(format, algorithm, &passphrase)?;
            // What was formatted has to be opened anew.
            image.close()?;
            let image = open(&pool, &args.image, &passphrase)?;
            println!("{}: room for {} bytes", args.image, image.size()?);
            Ok(image.close()?)
        }
        Action::Write => {
            let mut text = Vec::new();
            io::stdin().read_to_end(&mut text)?;
            let image = open(&pool, &args.image, &passphrase)?;
            text.push(0);
            image.write_all_at(&text, 0)?;
            Ok(image.close()?)
        }
        Action::Read => {
            let image = open(&pool, &args.image, &passphrase)?;
            let mut text = vec![0; image.size()?.min(1 << 20) as usize];
            image.read_exact_at(&mut text, 0)?;
            let end = text.iter().position(|&byte| byte == 0);
            io::stdout().write_all(&text[..end.unwrap_or(text.len())])?;
            Ok(image.close()?)
        }
    }
}

/// Opens the image, and from then on sees what is in it, and not how that is stored.
fn open(pool: &IoCtx, name: &str, passphrase: &Passphrase) -> rbd::Result<Image> {
    let image = Image::open(pool, name)?;
    image.encryption_load(EncryptionFormat::Luks2, passphrase)?;
    Ok(image)
}
