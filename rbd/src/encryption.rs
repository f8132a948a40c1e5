//! Encrypted images, in the format of LUKS.

use std::ffi::c_void;
use std::fmt;

use rados::{Error, Result};
use zeroize::Zeroizing;

use crate::ffi;
use crate::image::Image;

/// A passphrase: any bytes. They are wiped from memory when it is dropped, and shown nowhere. Copies that
/// librbd makes are not.
///
/// ```
/// let passphrase = rbd::Passphrase::new("correct horse");
/// assert_eq!(format!("{passphrase:?}"), "Passphrase(..)");
/// ```
#[derive(Clone)]
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Takes the bytes. What they come from is the caller's to wipe, unless it is a `String` or
    /// `Vec<u8>`, whose memory this takes over.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// The format of an encrypted image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EncryptionFormat {
    /// LUKS version 1, whose header takes 4 MiB.
    Luks1,
    /// LUKS version 2, whose header takes 16 MiB.
    Luks2,
    /// Either, as found: for loading only, and from Ceph 18 on.
    Luks,
}

/// The cipher of an encrypted image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EncryptionAlgorithm {
    /// AES in XTS mode with a key of 128 bits.
    Aes128,
    /// AES in XTS mode with a key of 256 bits.
    Aes256,
}

/// How an image, or one that it is a clone of, is encrypted.
#[derive(Debug, Clone, Copy)]
pub struct EncryptionSpec<'a> {
    /// The format.
    pub format: EncryptionFormat,
    /// The passphrase.
    pub passphrase: &'a Passphrase,
}

/// Encryption. All methods block, for seconds: a passphrase is meant to be slow to try.
///
/// Data is encrypted and decrypted in this process. An image is formatted once, and loaded each time
/// that it is opened, before anything is read or written: a handle without shows the header and
/// encrypted data, and what is written through it is lost to the others. Once loaded,
/// [`size`](Self::size) and offsets are those of the data, without the header; so is the size for
/// [`resize`](Self::resize) from Ceph 18 on, while before that is the size with the header. The names and
/// sizes of snapshots, and which objects there are, are not encrypted.
///
/// ```no_run
/// use rbd::{EncryptionAlgorithm, EncryptionFormat, Image, Passphrase};
///
/// # fn main() -> rbd::Result<()> {
/// # let conn = rados::Conn::builder().default_config_file().connect()?;
/// # let pool = conn.ioctx("rbd")?;
/// let passphrase = Passphrase::new(std::env::var("DISK_PASSPHRASE").expect("a passphrase"));
/// rbd::create(&pool, "secret", 1 << 30)?;
/// let image = Image::open(&pool, "secret")?;
/// image.encryption_format(EncryptionFormat::Luks2, EncryptionAlgorithm::Aes256, &passphrase)?;
/// image.close()?;
///
/// let image = Image::open(&pool, "secret")?;
/// image.encryption_load(EncryptionFormat::Luks2, &passphrase)?;
/// image.write_all_at(b"not for all eyes", 0)?;
/// image.close()
/// # }
/// ```
impl Image {
    /// Formats the image: what was in it is lost. The encryption is then loaded, unless the image is a
    /// clone.
    ///
    /// No other client may have the image open: it would go on without encryption. A clone keeps what
    /// it has of its parent's data, but for as much of the end as the header takes: make it larger before.
    ///
    /// # Errors
    /// `NoSpace` when the header leaves no room for data; `ReadOnly`; `InvalidArgument` for
    /// [`EncryptionFormat::Luks`]; `Unsupported` for an image with journaling, for a clone before Ceph 18,
    /// and where the library lacks the function or was built without encryption. Needs the feature
    /// `encryption`.
    #[doc(alias = "rbd_encryption_format")]
    #[cfg(feature = "encryption")]
    pub fn encryption_format(
        &self,
        format: EncryptionFormat,
        algorithm: EncryptionAlgorithm,
        passphrase: &Passphrase,
    ) -> Result<()> {
        const OP: &str = "rbd_encryption_format";
        let encrypt = ffi::optional(&ffi::rbd_encryption_format)?;
        if format == EncryptionFormat::Luks {
            let hint = "an image is formatted with either version of LUKS";
            return Err(Error::refused(OP, libc::EINVAL, hint).on(self.subject()));
        }
        let spec = EncryptionSpec { format, passphrase };
        let mut options = Options::new(spec, algorithm);
        let (options, size) = options.as_c();
        self.call(OP, |raw| {
            // SAFETY: as `call` promises; the options have this format and size, and live with the
            // passphrase until the call returns.
            unsafe { encrypt(raw, format.to_c(), options, size) }
        })
        .map(drop)
        .map_err(|error| match error.errno().raw() {
            libc::ENOSPC => error.hint("the image must be larger than the header"),
            libc::EOPNOTSUPP => error
                .hint("an image with journaling is not encrypted, nor is a clone before Ceph 18"),
            _ => error,
        })
    }

    /// Loads the encryption of the image, and of those that it is a clone of as far as they are
    /// encrypted, if all have one passphrase.
    ///
    /// # Errors
    /// `PermissionDenied` for a wrong passphrase; `InvalidArgument` for an image that has not this
    /// format; `AlreadyExists` when it is loaded; `Unsupported` for [`EncryptionFormat::Luks`] before
    /// Ceph 18, and where the library lacks the function or was built without encryption. Needs the
    /// feature `encryption`.
    #[doc(alias = "rbd_encryption_load")]
    #[cfg(feature = "encryption")]
    pub fn encryption_load(&self, format: EncryptionFormat, passphrase: &Passphrase) -> Result<()> {
        const OP: &str = "rbd_encryption_load";
        let load = ffi::optional(&ffi::rbd_encryption_load)?;
        let mut options = Options::for_loading(EncryptionSpec { format, passphrase });
        let (options, size) = options.as_c();
        self.call(OP, |raw| {
            // SAFETY: as `call` promises; the options have this format and size, and live with the
            // passphrase until the call returns.
            unsafe { load(raw, format.to_c(), options, size) }
        })
        .map(drop)
        .map_err(why_not_loaded)
    }

    /// Loads the encryption of the image with the first spec, of the one that it is a clone of with the
    /// second, and so on. The last spec is for all others up to one that is not encrypted.
    ///
    /// # Errors
    /// As [`encryption_load`](Self::encryption_load) for any of the images; `InvalidArgument` without a
    /// spec; `Unsupported` before Ceph 18. Needs the feature `encryption-load2`.
    #[doc(alias = "rbd_encryption_load2")]
    #[cfg(feature = "encryption-load2")]
    pub fn encryption_load2(&self, specs: &[EncryptionSpec<'_>]) -> Result<()> {
        const OP: &str = "rbd_encryption_load2";
        let load = ffi::optional(&ffi::rbd_encryption_load2)?;
        if specs.is_empty() {
            let hint = "there is no spec for the image";
            return Err(Error::refused(OP, libc::EINVAL, hint).on(self.subject()));
        }
        let mut options: Vec<_> = specs.iter().copied().map(Options::for_loading).collect();
        let c_specs = specs.iter().zip(&mut options).map(|(spec, options)| {
            let (opts, opts_size) = options.as_c();
            ffi::rbd_encryption_spec_t {
                format: spec.format.to_c(),
                opts,
                opts_size,
            }
        });
        let c_specs: Vec<_> = c_specs.collect();
        self.call(OP, |raw| {
            // SAFETY: as `call` promises; the options have these formats and sizes, and live with the
            // specs and the passphrases until the call returns.
            unsafe { load(raw, c_specs.as_ptr(), c_specs.len()) }
        })
        .map(drop)
        .map_err(why_not_loaded)
    }
}

#[cold]
fn why_not_loaded(error: Error) -> Error {
    match error.errno().raw() {
        libc::EPERM => error.hint("the passphrase is wrong"),
        libc::EINVAL => error.hint("the image has not this format"),
        libc::EEXIST => error.hint("the encryption is loaded"),
        libc::EOPNOTSUPP => error.hint("EncryptionFormat::Luks is for Ceph 18 and later"),
        _ => error,
    }
}

impl EncryptionFormat {
    fn to_c(self) -> ffi::rbd_encryption_format_t {
        match self {
            Self::Luks1 => ffi::RBD_ENCRYPTION_FORMAT_LUKS1,
            Self::Luks2 => ffi::RBD_ENCRYPTION_FORMAT_LUKS2,
            Self::Luks => ffi::RBD_ENCRYPTION_FORMAT_LUKS,
        }
    }
}

/// What C wants to know of a format: pointers to a passphrase, whose owner keeps it.
enum Options {
    Luks1(ffi::rbd_encryption_luks1_format_options_t),
    Luks2(ffi::rbd_encryption_luks2_format_options_t),
    Luks(ffi::rbd_encryption_luks_format_options_t),
}

impl Options {
    fn new(spec: EncryptionSpec<'_>, algorithm: EncryptionAlgorithm) -> Self {
        let alg = match algorithm {
            EncryptionAlgorithm::Aes128 => ffi::RBD_ENCRYPTION_ALGORITHM_AES128,
            EncryptionAlgorithm::Aes256 => ffi::RBD_ENCRYPTION_ALGORITHM_AES256,
        };
        let passphrase = spec.passphrase.0.as_ptr().cast();
        let passphrase_size = spec.passphrase.0.len();
        match spec.format {
            EncryptionFormat::Luks1 => Self::Luks1(ffi::rbd_encryption_luks1_format_options_t {
                alg,
                passphrase,
                passphrase_size,
            }),
            EncryptionFormat::Luks2 => Self::Luks2(ffi::rbd_encryption_luks2_format_options_t {
                alg,
                passphrase,
                passphrase_size,
            }),
            EncryptionFormat::Luks => Self::Luks(ffi::rbd_encryption_luks_format_options_t {
                passphrase,
                passphrase_size,
            }),
        }
    }

    /// The algorithm is then that of the image's header.
    fn for_loading(spec: EncryptionSpec<'_>) -> Self {
        Self::new(spec, EncryptionAlgorithm::Aes256)
    }

    /// The struct of the format and its size.
    fn as_c(&mut self) -> (ffi::rbd_encryption_options_t, usize) {
        let (options, size): (*mut c_void, _) = match self {
            Self::Luks1(options) => ((&raw mut *options).cast(), size_of_val(options)),
            Self::Luks2(options) => ((&raw mut *options).cast(), size_of_val(options)),
            Self::Luks(options) => ((&raw mut *options).cast(), size_of_val(options)),
        };
        (ffi::rbd_encryption_options_t(options), size)
    }
}
