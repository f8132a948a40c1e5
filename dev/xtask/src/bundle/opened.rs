//! What libraries open by themselves, without a word of it in their files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::Result;

/// What a library opens when it is used.
struct Opens {
    /// How its name starts.
    by: &'static str,
    /// Libraries, and folders full of them, beside it. Those that are there are taken.
    beside: &'static [&'static str],
    /// Whether it is of no use without them.
    required: bool,
    /// Where it looks for them: beside itself, or in the folder that it was built for. It holds a path
    /// in that folder, which ends so.
    mark: Option<&'static str>,
}

/// Seen on clients of Ceph 14, 16 and 18. What only daemons open is not here: the plugins for erasure
/// codes, for compression (18 compresses no message of a client's) and for the object gateway's ciphers.
const KNOWN: &[Opens] = &[
    // NSS does all its work there. Debian has the subfolder.
    Opens {
        by: "libnss3.so",
        beside: &[
            "libsoftokn3.so",
            "libfreeblpriv3.so",
            "libfreebl3.so",
            "nss/libsoftokn3.so",
            "nss/libfreeblpriv3.so",
            "nss/libfreebl3.so",
        ],
        required: true,
        mark: None,
    },
    // The caches of librbd.
    Opens {
        by: "libceph-common.so",
        beside: &["librbd"],
        required: false,
        mark: Some("/erasure-code"),
    },
    // Encrypted images: cryptsetup asks OpenSSL for its old ciphers.
    Opens {
        by: "libcrypto.so",
        beside: &["ossl-modules"],
        required: false,
        mark: Some("/ossl-modules"),
    },
    // Host names, before glibc 2.34.
    Opens {
        by: "libc.so.6",
        beside: &["libnss_files.so.2", "libnss_dns.so.2"],
        required: false,
        mark: None,
    },
];

/// The libraries that the one of this name opens, which is in `file`: where each is, and where it has
/// to be if `file` is in `folder`.
///
/// # Errors
/// When something cannot be read, or what it cannot do without is not there.
pub fn by(name: &str, file: &Path, folder: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    let mut found = Vec::new();
    let (Some(known), Some(here)) = (
        KNOWN.iter().find(|known| name.starts_with(known.by)),
        file.parent(),
    ) else {
        return Ok(found);
    };
    let there = match known.mark {
        None => folder.to_owned(),
        Some(mark) => match built_for(&fs::read(file)?, mark) {
            Some(there) => there,
            None => return Ok(found),
        },
    };
    for beside in known.beside {
        let path = here.join(beside);
        if path.is_dir() {
            let mut names = Vec::new();
            for entry in fs::read_dir(&path)? {
                names.push(PathBuf::from(entry?.file_name()));
            }
            // The links and files of one library end in its version, all but the one that is opened.
            names.retain(|name| name.extension().is_some_and(|end| end == "so"));
            names.sort();
            let places = names.iter().map(|name| Path::new(beside).join(name));
            found.extend(places.map(|place| (here.join(&place), there.join(&place))));
        } else if path.exists() {
            found.push((path, there.join(beside)));
        }
    }
    if found.is_empty() && known.required {
        return Err(format!(
            "{name} opens {} when it is used, which is not beside {}",
            known.beside[0],
            file.display()
        )
        .into());
    }
    Ok(found)
}

/// The folder of the path in a library's data that ends with `mark`.
fn built_for(data: &[u8], mark: &str) -> Option<PathBuf> {
    let mut strings = data.split(|byte| *byte == 0);
    strings.find_map(|string| {
        let path = str::from_utf8(string).ok()?;
        let folder = path.strip_suffix(mark)?;
        folder.starts_with('/').then(|| folder.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_that_a_library_was_built_for_is_in_it() {
        let data = b"\x7fELF\0MODULESDIR: \"/usr/lib64/ossl-modules\"\0ossl-modules\0\xff/no/ossl-modules\0\
            /usr/lib64/ossl-modules\0/other/ossl-modules\0";
        let folder = Some(PathBuf::from("/usr/lib64"));
        assert_eq!(built_for(data, "/ossl-modules"), folder);
        assert_eq!(built_for(data, "/erasure-code"), None);
    }
}
