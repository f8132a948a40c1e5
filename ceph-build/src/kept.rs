//! Declarations that bindgen made earlier, and that the crate being built keeps in its folder.

use crate::failure::Failure;
use crate::files::{manifest_dir, read, write};

/// The file, in the crate's folder. Its first line begins with `// Ceph <release>:`.
pub(crate) const FILE: &str = "bindings.rs";

/// Takes them for `OUT_DIR/bindings.rs`, and returns the release whose header they were made from.
pub(crate) fn take() -> Result<String, Failure> {
    let text = read(&manifest_dir().join(FILE))?;
    write("bindings.rs", &text)?;
    let marked = text.strip_prefix("// Ceph ");
    let (release, _) = marked
        .and_then(|rest| rest.split_once(':'))
        .expect("the file says what it was made from");
    Ok(release.to_owned())
}
