//! Where an image is.

use std::fmt;
use std::str::FromStr;

use rados::{Conn, Error, IoCtx, Result};

use crate::image::{Image, OpenOptions};

/// Where an image or a snapshot of one is, as the command `rbd` writes it: `image`, `pool/image` or
/// `pool/namespace/image`, each maybe with `@snapshot`.
///
/// Neither `/` nor `@` may stand in a name when one is parsed, so that there is one way to read it. Names which have
/// them can be set all the same; then the text is for people only.
///
/// ```
/// use rbd::ImageSpec;
///
/// let spec: ImageSpec = "backup/tenant/disk1@monday".parse()?;
/// assert_eq!(spec.pool.as_deref(), Some("backup"));
/// assert_eq!((&*spec.namespace, &*spec.image), ("tenant", "disk1"));
/// assert_eq!(spec.snapshot.as_deref(), Some("monday"));
/// assert_eq!(spec.to_string(), "backup/tenant/disk1@monday");
/// assert_eq!("disk1".parse::<ImageSpec>()?, ImageSpec::new("disk1"));
/// assert!("pool/disk1@".parse::<ImageSpec>().is_err());
/// # Ok::<(), rbd::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct ImageSpec {
    /// The pool; without one that of the option `rbd_default_pool`, normally `rbd`.
    pub pool: Option<String>,
    /// The namespace; empty for the default one.
    pub namespace: String,
    /// The image's name.
    pub image: String,
    /// The snapshot's name.
    pub snapshot: Option<String>,
}

impl ImageSpec {
    /// The image with this name, in no pool in particular.
    pub fn new(image: impl Into<String>) -> Self {
        Self {
            pool: None,
            namespace: String::new(),
            image: image.into(),
            snapshot: None,
        }
    }

    /// The same in this pool.
    #[must_use]
    pub fn in_pool(mut self, pool: impl Into<String>) -> Self {
        self.pool = Some(pool.into());
        self
    }

    /// The same in this namespace.
    #[must_use]
    pub fn in_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// The same at this snapshot.
    #[must_use]
    pub fn at_snapshot(mut self, snapshot: impl Into<String>) -> Self {
        self.snapshot = Some(snapshot.into());
        self
    }

    /// The pool and namespace.
    ///
    /// # Errors
    /// `NotFound` when there is no such pool; otherwise as [`Conn::ioctx`] and [`IoCtx::with_namespace`].
    pub fn ioctx(&self, conn: &Conn) -> Result<IoCtx> {
        let ioctx = match &self.pool {
            Some(pool) => conn.ioctx(pool),
            None => conn.ioctx(&conn.config_get("rbd_default_pool")?),
        }?;
        match &*self.namespace {
            "" => Ok(ioctx),
            namespace => ioctx.with_namespace(namespace),
        }
    }

    /// Opens the image for reading and writing, or the snapshot for reading. Blocks.
    ///
    /// ```no_run
    /// # fn main() -> rbd::Result<()> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// let spec: rbd::ImageSpec = "backup/disk1@monday".parse()?;
    /// println!("{} bytes", spec.open(&conn)?.size()?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`ioctx`](Self::ioctx) and [`OpenOptions::open`].
    pub fn open(&self, conn: &Conn) -> Result<Image> {
        let mut options = OpenOptions::new();
        if let Some(snapshot) = &self.snapshot {
            options = options.snapshot(snapshot);
        }
        options.open(&self.ioctx(conn)?, &self.image)
    }
}

impl FromStr for ImageSpec {
    type Err = Error;

    /// Reads `[pool/[namespace/]]image[@snapshot]`.
    ///
    /// # Errors
    /// `InvalidArgument` for an empty part, more than three parts, and a `/` or `@` in a name.
    fn from_str(text: &str) -> Result<Self> {
        let (path, snapshot) = match text.split_once('@') {
            Some((path, snapshot)) => (path, Some(snapshot)),
            None => (text, None),
        };
        let (pool, namespace, image) = match *path.split('/').collect::<Vec<_>>() {
            [image] => (None, None, image),
            [pool, image] => (Some(pool), None, image),
            [pool, namespace, image] => (Some(pool), Some(namespace), image),
            _ => return Err(malformed(text, "it has too many slashes")),
        };
        let mut parts = [pool, namespace, Some(image), snapshot]
            .into_iter()
            .flatten();
        if parts.any(str::is_empty) {
            return Err(malformed(text, "a part of it is empty"));
        }
        if snapshot.is_some_and(|name| name.contains(['/', '@'])) {
            return Err(malformed(text, "the snapshot's name has a / or @"));
        }
        Ok(Self {
            pool: pool.map(str::to_owned),
            namespace: namespace.unwrap_or_default().to_owned(),
            image: image.to_owned(),
            snapshot: snapshot.map(str::to_owned),
        })
    }
}

#[cold]
fn malformed(text: &str, why: &'static str) -> Error {
    Error::refused("rbd image spec", libc::EINVAL, why)
        .on(text)
        .hint("expected [pool/[namespace/]]image[@snapshot]")
}

impl fmt::Display for ImageSpec {
    /// Writes what can be parsed; a namespace is left out without a pool.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(pool) = &self.pool {
            write!(f, "{pool}/")?;
            if !self.namespace.is_empty() {
                write!(f, "{}/", self.namespace)?;
            }
        }
        f.write_str(&self.image)?;
        match &self.snapshot {
            Some(snapshot) => write!(f, "@{snapshot}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn what_is_printed_is_parsed_again() {
        for text in [
            "i",
            "i@s",
            "p/i",
            "p/i@s",
            "p/n/i",
            "p/n/i@s",
            "with space/日本/a.b-c",
        ] {
            let spec: ImageSpec = text.parse().unwrap();
            assert_eq!(spec.to_string(), text);
        }
    }

    #[test]
    fn what_is_ambiguous_or_empty_is_refused() {
        for text in [
            "", "@", "/", "@s", "i@", "p/", "/i", "p//i", "p/n/", "p/n/@s", "a/b/c/d", "i@s@t",
            "i@s/t", "p@s/i",
        ] {
            let error = text.parse::<ImageSpec>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{text}");
        }
    }
}
