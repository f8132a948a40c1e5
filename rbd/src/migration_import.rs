//! Images that are migrated from outside the cluster, or from a snapshot.

use std::fmt;
use std::ops::ControlFlow;
use std::path::PathBuf;

use ceph_core::cstr::text;
use ceph_core::{check, grow};
use rados::{Error, IoCtx, Result};
use zeroize::Zeroizing;

use crate::directory::with_name;
use crate::image::Image;
use crate::migration::{Migration, Prepared};
use crate::{DiffOptions, ImageOptions, ffi, subject};

/// Where an image is imported from; see [`Migration::prepare_import`].
///
/// ```
/// use rbd::{ImportSource, ImportStream, SnapshotSource};
///
/// let file = ImportSource::raw(ImportStream::file("/mnt/share/disk.raw"));
/// let qcow = ImportSource::qcow(ImportStream::http("https://images.example/debian.qcow2"));
/// let snapshot = ImportSource::from(SnapshotSource::new("rbd", "disk1", "yesterday"));
/// ```
#[derive(Clone)]
pub struct ImportSource {
    json: Zeroizing<String>,
    /// What has to be looked after before the library does.
    snapshot: Option<SnapshotSource>,
}

impl ImportSource {
    /// The bytes of the image as they are.
    pub fn raw(stream: ImportStream) -> Self {
        Self::streamed("raw", &stream)
    }

    /// A file of qemu's format qcow or qcow2, without a backing file, compression or encryption.
    pub fn qcow(stream: ImportStream) -> Self {
        Self::streamed("qcow", &stream)
    }

    /// A source specification as Ceph's documentation describes it, for what has no method here, such as raw
    /// images with snapshots. Beware of the type `native`, for which [`SnapshotSource`] has checks: in 16.2.15 an
    /// image that does not exist ends the process.
    pub fn json(specification: impl Into<String>) -> Self {
        Self::here(Zeroizing::new(specification.into()))
    }

    fn streamed(format: &str, stream: &ImportStream) -> Self {
        Self::here(object(&[
            ("type", Value::Text(format)),
            ("stream", Value::Object(&stream.0)),
        ]))
    }

    fn here(json: Zeroizing<String>) -> Self {
        Self {
            json,
            snapshot: None,
        }
    }

    /// The specification with the NUL that ends it for C.
    fn for_c(&self, op: &'static str) -> Result<Zeroizing<Vec<u8>>> {
        let json = self.json.as_bytes();
        if json.contains(&0) {
            let hint = "the source specification holds a NUL byte";
            return Err(Error::refused(op, libc::EINVAL, hint));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(json.len() + 1));
        bytes.extend_from_slice(json);
        bytes.push(0);
        Ok(bytes)
    }
}

impl From<SnapshotSource> for ImportSource {
    fn from(source: SnapshotSource) -> Self {
        let mut fields = vec![
            ("type", Value::Text("native")),
            ("pool_name", Value::Text(&source.pool)),
            ("pool_namespace", Value::Text(&source.pool_namespace)),
            ("image_name", Value::Text(&source.image)),
            ("snap_name", Value::Text(&source.snapshot)),
        ];
        if let Some((cluster, client)) = &source.cluster {
            fields.push(("cluster_name", Value::Text(cluster)));
            fields.push(("client_name", Value::Text(client)));
        }
        Self {
            json: object(&fields),
            snapshot: Some(source),
        }
    }
}

impl fmt::Debug for ImportSource {
    /// Without the specification, which may have keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImportSource(..)")
    }
}

/// Where the bytes of an image that is imported come from.
///
/// Each client that uses the target before the migration is executed reads from there, and so does the one that
/// executes it: a file has to be there on all their machines, under the same path.
#[derive(Clone)]
pub struct ImportStream(Zeroizing<String>);

impl ImportStream {
    /// A file, by its absolute path. Bytes that are not UTF-8 become U+FFFD.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self::new("file", &[("file_path", &path.to_string_lossy())])
    }

    /// A file of a web server that serves ranges, by its URL.
    pub fn http(url: &str) -> Self {
        Self::new("http", &[("url", url)])
    }

    /// An object of an S3 server, by its URL, with the keys that open it. Ceph keeps the keys in the target's header,
    /// readable for all its clients, until the migration ends.
    pub fn s3(url: &str, access_key: &str, secret_key: &str) -> Self {
        let fields = [
            ("url", url),
            ("access_key", access_key),
            ("secret_key", secret_key),
        ];
        Self::new("s3", &fields)
    }

    /// What an NBD server exports, by its URI; from Ceph 20 on.
    pub fn nbd(uri: &str) -> Self {
        Self::new("nbd", &[("uri", uri)])
    }

    fn new(kind: &str, fields: &[(&str, &str)]) -> Self {
        let fields = fields.iter().map(|&(name, text)| (name, Value::Text(text)));
        let kind = ("type", Value::Text(kind));
        let all: Vec<_> = std::iter::once(kind).chain(fields).collect();
        Self(object(&all))
    }
}

impl fmt::Debug for ImportStream {
    /// Without the address, which may have keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImportStream(..)")
    }
}

/// A snapshot of an image, in this cluster or another, that is imported; with the snapshots before it.
///
/// Nobody may write to the image from the snapshot on until the migration is executed: librbd shows the snapshot's
/// content before and during the execution, and copies what is newer all the same (16.2.15, 18.2.7, 20.2.4).
/// [`prepare_import`](Migration::prepare_import) refuses an image in this cluster that has been written by then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotSource {
    pool: String,
    pool_namespace: String,
    image: String,
    snapshot: String,
    cluster: Option<(String, String)>,
}

impl SnapshotSource {
    /// A user's snapshot of an image in the pool's default namespace, in this cluster.
    pub fn new(
        pool: impl Into<String>,
        image: impl Into<String>,
        snapshot: impl Into<String>,
    ) -> Self {
        Self {
            pool: pool.into(),
            pool_namespace: String::new(),
            image: image.into(),
            snapshot: snapshot.into(),
            cluster: None,
        }
    }

    /// The image lies in this namespace.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.pool_namespace = namespace.into();
        self
    }

    /// The image lies in another cluster, which Ceph knows by the configuration file `/etc/ceph/CLUSTER.conf`, and
    /// to which it connects as this client, such as `client.admin`. Each client that uses the target has to have
    /// both. From Ceph 20 on; before, [`prepare_import`](Migration::prepare_import) refuses it.
    #[must_use]
    pub fn cluster(mut self, cluster: impl Into<String>, client: impl Into<String>) -> Self {
        self.cluster = Some((cluster.into(), client.into()));
        self
    }
}

impl SnapshotSource {
    /// Refuses what the library takes for something else.
    fn check(&self, op: &'static str, ioctx: &IoCtx) -> Result<()> {
        if self.cluster.is_some() {
            if crate::version() < (1, 20, 0) {
                let hint = "this librbd knows no other clusters: that begins with Ceph 20";
                return Err(Error::refused(op, libc::ENOTSUP, hint));
            }
            return Ok(());
        }
        let pool = ioctx.conn().ioctx(&self.pool)?;
        let pool = pool.with_namespace(&self.pool_namespace)?;
        // For an image that does not exist, 16.2.15 ends the process.
        let image = Image::open_read_only(&pool, &self.image)?;
        let options = DiffOptions::new().whole_object();
        let newer = |_| ControlFlow::Break(());
        if image
            .diff_iterate(Some(&self.snapshot), .., options, newer)?
            .is_break()
        {
            let hint =
                "the image has been written since the snapshot, and librbd would copy that as well";
            return Err(Error::refused(op, libc::EINVAL, hint).on(image.subject()));
        }
        Ok(())
    }
}

impl Migration<Prepared> {
    /// Makes the image `target` and links it to a source, which is read only and stays as it is. Blocks. Needs the
    /// feature `migration-import`.
    ///
    /// The target has the content of the source at once, and can be used. The source must not change until the
    /// migration is executed.
    ///
    /// ```no_run
    /// use rbd::{ImageOptions, ImportSource, ImportStream, Migration};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let conn = rados::Conn::builder().default_config_file().connect()?;
    /// # let pool = conn.ioctx("rbd")?;
    /// let source = ImportSource::qcow(ImportStream::file("/mnt/share/debian.qcow2"));
    /// let migration = Migration::prepare_import(&source, &pool, "debian", &ImageOptions::new())?;
    /// migration.execute()?.commit()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound` for a source that does not exist; `AlreadyExists` for the target; `InvalidArgument`, `Unsupported`
    /// or EBADMSG for a source that the library does not understand; `InvalidArgument` for an image that has been written
    /// since the snapshot, for options that do not go together, and for an empty name or one with a NUL byte;
    /// `Unsupported` before Ceph 16.
    #[doc(alias = "rbd_migration_prepare_import")]
    pub fn prepare_import(
        source: &ImportSource,
        ioctx: &IoCtx,
        target: &str,
        options: &ImageOptions,
    ) -> Result<Self> {
        const OP: &str = "rbd_migration_prepare_import";
        let prepare = ffi::optional(&ffi::rbd_migration_prepare_import)?;
        let located = |error: Error| error.on(subject(ioctx, target));
        if let Some(snapshot) = &source.snapshot {
            snapshot.check(OP, ioctx)?;
        }
        let source = source.for_c(OP).map_err(located)?;
        let options = options.to_c(OP).map_err(located)?;
        with_name(OP, ioctx, target, target, |io, target| {
            // SAFETY: the pool's handle is open, both strings end with a NUL, and they and the options live until
            // the call returns.
            check(OP, unsafe {
                prepare(source.as_ptr().cast(), io, target, options.raw)
            })
        })?;
        Ok(Self::of(ioctx, target))
    }
}

impl Image {
    /// Where the image's data comes from, if it is the target of a migration: a source specification, for
    /// [`ImportSource::json`]. With the keys of an S3 server, if it comes from one. Blocks. Needs the feature
    /// `migration-import`.
    ///
    /// # Errors
    /// `Unsupported` before Ceph 16.
    #[doc(alias = "rbd_get_migration_source_spec")]
    pub fn migration_source_spec(&self) -> Result<Option<String>> {
        const OP: &str = "rbd_get_migration_source_spec";
        let get = ffi::optional(&ffi::rbd_get_migration_source_spec)?;
        let raw = self.raw(OP)?;
        let spec = grow::sized(OP, 0_u8, |spec, len| {
            // SAFETY: the handle is open, and `spec` has `len` bytes.
            unsafe { get(raw, spec.as_mut_ptr().cast(), len) }
        });
        match spec {
            Ok(spec) => Ok(Some(text(&spec))),
            // The one in some releases, the other in others.
            Err(error) if matches!(error.errno().raw(), libc::ENOENT | libc::EINVAL) => Ok(None),
            Err(error) => Err(error.on(self.subject())),
        }
    }
}

/// A value in a JSON object.
enum Value<'a> {
    Text(&'a str),
    /// An object, as JSON.
    Object(&'a str),
}

/// A JSON object, made without leaving copies of secrets in memory.
fn object(fields: &[(&str, Value<'_>)]) -> Zeroizing<String> {
    let most = |(name, value): &(&str, Value<'_>)| {
        name.len()
            + 8
            + match value {
                Value::Text(text) => 6 * text.len(),
                Value::Object(json) => json.len(),
            }
    };
    let mut json = Zeroizing::new(String::with_capacity(
        fields.iter().map(most).sum::<usize>() + 2,
    ));
    json.push('{');
    for (n, (name, value)) in fields.iter().enumerate() {
        if n > 0 {
            json.push(',');
        }
        push_string(&mut json, name);
        json.push(':');
        match value {
            Value::Text(text) => push_string(&mut json, text),
            Value::Object(object) => json.push_str(object),
        }
    }
    json.push('}');
    json
}

fn push_string(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            '\0'..' ' => {
                let hex = |digit: u32| char::from_digit(digit, 16).unwrap_or('0');
                let code = u32::from(c);
                json.push_str("\\u00");
                json.extend([hex(code >> 4), hex(code & 15)]);
            }
            _ => json.push(c),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifications_are_json_that_is_escaped() {
        let source = ImportSource::raw(ImportStream::file("/a \"b\"\\\n\u{1f}ü"));
        let expected =
            r#"{"type":"raw","stream":{"type":"file","file_path":"/a \"b\"\\\u000a\u001fü"}}"#;
        assert_eq!(*source.json, expected);
    }

    #[test]
    fn specifications_are_shown_nowhere() {
        let stream = ImportStream::s3("https://s3.example/b/o", "key", "secret");
        let source = ImportSource::qcow(stream.clone());
        assert_eq!(
            format!("{stream:?} {source:?}"),
            "ImportStream(..) ImportSource(..)"
        );
    }

    #[test]
    fn what_c_would_cut_is_refused() {
        let error = ImportSource::json("{}\0").for_c("f").unwrap_err();
        assert_eq!(error.errno().raw(), libc::EINVAL);
        let source = SnapshotSource::new("p", "i", "s").namespace("n");
        let near = ImportSource::from(source).for_c("f").unwrap();
        assert!(near.ends_with(b"\"snap_name\":\"s\"}\0"));
    }
}
