//! How a build script stops.

use std::fmt;
use std::process;

/// A reason to stop the build, as text for a person.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Failure {
    /// Ends the build script. Cargo shows what it wrote to standard error, last.
    pub(crate) fn exit(&self) -> ! {
        eprintln!("\n{self}");
        process::exit(1)
    }
}
