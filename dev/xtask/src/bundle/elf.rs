//! What an ELF file says of others that it needs.

use std::fs;
use std::path::{Path, PathBuf};

use object::Endianness;
use object::elf::{DT_NEEDED, FileHeader64};
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _};

use crate::run::Result;

/// A program or a shared library of 64 bits.
pub struct Elf {
    /// The loader, by its path; libraries and statically linked programs have none.
    pub loader: Option<PathBuf>,
    /// The names of the libraries that it is linked to.
    pub needed: Vec<String>,
}

impl Elf {
    /// # Errors
    /// When the file cannot be read or is something else.
    pub fn read(file: &Path) -> Result<Self> {
        let data =
            fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        Self::parse(&data).map_err(|error| {
            let file = file.display();
            format!("{file} is not a program or a library of 64 bits: {error}").into()
        })
    }

    fn parse(data: &[u8]) -> object::Result<Self> {
        let header = FileHeader64::<Endianness>::parse(data)?;
        let endian = header.endian()?;
        let mut loader = None;
        for segment in header.program_headers(endian, data)? {
            if let Some(path) = segment.interpreter(endian, data)? {
                loader = Some(String::from_utf8_lossy(path).into_owned().into());
            }
        }
        let mut needed = Vec::new();
        let sections = header.sections(endian, data)?;
        if let Some((entries, names)) = sections.dynamic(endian, data)? {
            let names = sections.strings(endian, data, names)?;
            for entry in entries
                .iter()
                .filter(|entry| entry.tag(endian) == DT_NEEDED)
            {
                let name = entry.string(endian, names)?;
                needed.push(String::from_utf8_lossy(name).into_owned());
            }
        }
        Ok(Self { loader, needed })
    }
}
