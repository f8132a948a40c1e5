//! Compiles the two libraries, and makes this package's tests load them instead of Ceph's.

use std::path::{Path, PathBuf};
use std::{env, fs};

use ceph_build::{Capability, Kind, Library, RADOS, RBD, table};

fn main() {
    println!("cargo::rerun-if-changed=src");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets it"));
    let dir = out.join("lib");
    fs::create_dir_all(&dir).expect("create a folder in OUT_DIR");
    compile(&RADOS, "librados.so.2", &dir);
    compile(&RBD, "librbd.so.1", &dir);
    // An RPATH, which comes before LD_LIBRARY_PATH.
    let rpath = format!("-Wl,--disable-new-dtags,-rpath,{}", dir.display());
    println!("cargo::rustc-link-arg-tests={rpath}");
}

fn compile(library: &Library, file: &str, dir: &Path) {
    let name = library.name;
    let missing = dir.with_file_name(format!("missing_{name}.c"));
    fs::write(&missing, missing_functions(library)).expect("write to OUT_DIR");
    let include = env::var(format!("DEP_{}_INCLUDE", name.to_uppercase()));
    let compiler = cc::Build::new()
        .warnings(true)
        .warnings_into_errors(true)
        .get_compiler();
    let status = compiler
        .to_command()
        // What is read and written goes through the C library, where Rust's AddressSanitizer looks at it; that
        // of the C compiler does not go with it.
        .arg("-fno-sanitize=address")
        .args(["-O2", "-g", "-fPIC", "-fno-builtin", "-pthread", "-shared"])
        .arg(format!("-I{}", include.expect("the -sys crate sets it")))
        .arg(format!("-Wl,-soname,{file}"))
        .args(["src/engine.c", &format!("src/{name}.c")])
        .arg(missing)
        .arg("-o")
        .arg(dir.join(file))
        .status()
        .expect("start the C compiler");
    assert!(status.success(), "{file} cannot be compiled");
}

/// A definition of each base function, which gives way to one in `src`. Programs bind all functions that they
/// are linked to when they start.
fn missing_functions(library: &Library) -> String {
    let functions = table(library)
        .into_iter()
        .filter(|row| row.kind == Kind::Function && row.capability == Capability::Base);
    let definitions = functions.map(|row| {
        let name = row.name;
        format!("__attribute__((weak)) void {name}(void) {{ nullceph_missing(\"{name}\"); }}\n")
    });
    let declaration = "void nullceph_missing(const char *name) __attribute__((noreturn));\n";
    declaration.to_owned() + &definitions.collect::<String>()
}
