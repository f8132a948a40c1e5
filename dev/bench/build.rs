//! Compiles the C program, with the libraries that the crates are linked to.

use std::path::PathBuf;
use std::{env, process};

fn main() {
    println!("cargo::rerun-if-changed=src/baseline.c");
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let program = PathBuf::from(variable("OUT_DIR")).join("baseline");
    let compiler = cc::Build::new()
        .warnings(true)
        .warnings_into_errors(true)
        .get_compiler();
    let status = compiler
        .to_command()
        .args(["-O2", "-g", "-pthread", "src/baseline.c", "-o"])
        .arg(program)
        .arg(format!("-I{}", variable("DEP_RADOS_INCLUDE")))
        .arg(format!("-I{}", variable("DEP_RBD_INCLUDE")))
        .args([variable("DEP_RBD_SO"), variable("DEP_RADOS_SO")])
        .status()
        .expect("start the C compiler");
    if !status.success() {
        process::exit(1);
    }
}
