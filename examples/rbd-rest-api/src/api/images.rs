//! Images: one at a time.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rados::{Conn, ErrorKind, IoCtx};
use rbd::{ImageInfo, OpenOptions, Shrink};
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;
use crate::ceph::Place;
use crate::exclusive;
use crate::extract::{Json, Path, Query};
use crate::names::Name;
use crate::operations::{Operation, OperationKind, Progress};
use crate::problem::{Problem, Problems, Result};
use crate::quantity::Quantity;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get, remove))
        .routes(routes!(usage))
        .routes(routes!(resize))
        .routes(routes!(rename))
}

/// The image in a path.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ImageParts {
    /// The pool's name.
    pub pool: Name,
    /// The image's name.
    pub image: Name,
}

impl ImageParts {
    /// Where the image is.
    pub fn place(&self, namespace: Option<Name>) -> Place {
        PlaceQuery { namespace }.place(self.pool.clone())
    }
}

/// Where in the pool it is.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PlaceQuery {
    /// A namespace of the pool; the one without a name by default.
    #[serde(default, deserialize_with = "empty_is_none")]
    pub namespace: Option<Name>,
}

/// As some clients say that there is none.
pub fn empty_is_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Name>, D::Error> {
    let name = String::deserialize(deserializer)?;
    let name = (!name.is_empty()).then(|| Name::try_from(name));
    name.transpose().map_err(de::Error::custom)
}

impl PlaceQuery {
    /// The namespace in this pool.
    pub fn place(self, pool: Name) -> Place {
        Place {
            pool: pool.into(),
            namespace: self.namespace.map(String::from).unwrap_or_default(),
        }
    }
}

/// An image, as `rbd info --format json` shows it, and where it is.
#[derive(Serialize)]
pub struct Image {
    pool: String,
    namespace: String,
    #[serde(flatten)]
    info: ImageInfo,
}

impl Image {
    /// The image with this name, or its snapshot.
    pub fn look_at(ioctx: &IoCtx, name: &str, snapshot: Option<&str>) -> Result<Self> {
        Ok(Self {
            info: open_to_look(ioctx, name, snapshot)?.info()?,
            pool: ioctx.pool_name()?,
            namespace: ioctx.namespace().to_owned(),
        })
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.info.size
    }
}

impl PartialSchema for Image {
    fn schema() -> RefOr<Schema> {
        let parent = ObjectBuilder::new()
            .property("pool", of(Type::String, "Its pool"))
            .property("pool_namespace", of(Type::String, "Its namespace"))
            .property("image", of(Type::String, "Its name"))
            .property("id", of(Type::String, "Its id"))
            .property("snapshot", of(Type::String, "The snapshot"))
            .property("trash", of(Type::Boolean, "Whether it is in the trash"))
            .property("overlap", of(Type::Integer, "Bytes that are still shared"))
            .description(Some("What it is a clone of"));
        use Type::{Integer, String};
        let always = [
            ("name", String, "Its name"),
            ("pool", String, "Its pool"),
            (
                "namespace",
                String,
                "Its namespace; empty for that without a name",
            ),
            (
                "id",
                String,
                "Its id, which stays the same when it is renamed",
            ),
            (
                "size",
                Integer,
                "Bytes: of the snapshot, if one was asked for",
            ),
            ("objects", Integer, "Objects that the size is divided into"),
            ("order", Integer, "Base-2 logarithm of the object size"),
            ("object_size", Integer, "Bytes of an object"),
            ("snapshot_count", Integer, "Snapshots"),
            (
                "block_name_prefix",
                String,
                "What its objects' names begin with",
            ),
            ("format", Integer, "2, or 1 for an image of before 2014"),
        ];
        let sometimes = [
            ("data_pool", String, "The pool with the data, if another"),
            ("group", String, "The group that it is in"),
            (
                "create_timestamp",
                String,
                "When it was made, in local time",
            ),
            (
                "access_timestamp",
                String,
                "When it was last read, to a day or so",
            ),
            (
                "modify_timestamp",
                String,
                "When it was last written, to a minute or so",
            ),
            ("protected", String, "Of a snapshot: true or false"),
            ("snapshot_limit", Integer, "The most snapshots it may have"),
            ("stripe_unit", Integer, "Bytes of a stripe's part"),
            ("stripe_count", Integer, "Objects that a stripe is over"),
        ];
        let lists = [
            ("features", "What it can do"),
            (
                "op_features",
                "Features that come from taking part in something",
            ),
            ("flags", "What is wrong with its maps; normally nothing"),
        ];
        let mut image = ObjectBuilder::new().property("parent", parent);
        for (name, kind, text) in always {
            image = image.property(name, of(kind, text)).required(name);
        }
        for (name, kind, text) in sometimes {
            image = image.property(name, of(kind, text));
        }
        for (name, text) in lists {
            let list = ArrayBuilder::new().items(ObjectBuilder::new().schema_type(String));
            image = image.property(name, list.description(Some(text)));
        }
        let text = "An image, as `rbd info --format json` shows it, and where it is";
        image.description(Some(text)).into()
    }
}

fn of(kind: Type, text: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(kind)
        .description(Some(text))
}

impl ToSchema for Image {}

/// Which snapshot.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SnapshotQuery {
    /// The image as it was when this snapshot was taken.
    snapshot: Option<Name>,
}

/// Look at an image
#[utoipa::path(get, path = "/pools/{pool}/images/{image}", tag = "images", params(ImageParts, PlaceQuery, SnapshotQuery), responses((status = 200, body = Image), Problems))]
async fn get(
    State(app): State<AppState>,
    Path(path): Path<ImageParts>,
    Query(place): Query<PlaceQuery>,
    Query(query): Query<SnapshotQuery>,
) -> Result<Json<Image>> {
    let look = move |ioctx: &IoCtx| Image::look_at(ioctx, &path.image, query.snapshot.as_deref());
    Ok(Json(app.ceph.in_pool(&place.place(path.pool), look).await?))
}

/// The space that an image takes, as `rbd du` tells it.
#[derive(Serialize, ToSchema)]
struct Usage {
    /// Its size.
    provisioned_bytes: u64,
    /// What it has of its own since the last snapshot.
    used_bytes: u64,
    /// That and what its snapshots have.
    total_used_bytes: u64,
    snapshots: Vec<SnapshotUsage>,
}

/// The space that a snapshot takes.
#[derive(Serialize, ToSchema)]
struct SnapshotUsage {
    id: u64,
    name: String,
    /// The image's size when it was taken.
    provisioned_bytes: u64,
    /// What it has more than the snapshot before.
    used_bytes: u64,
}

/// Measure an image
///
/// With the feature fast-diff this is quick; without, each object is looked at.
#[utoipa::path(get, path = "/pools/{pool}/images/{image}/usage", tag = "images", params(ImageParts, PlaceQuery), responses((status = 200, body = Usage), Problems))]
async fn usage(
    State(app): State<AppState>,
    Path(path): Path<ImageParts>,
    Query(place): Query<PlaceQuery>,
) -> Result<Json<Usage>> {
    let measure = move |ioctx: &IoCtx| {
        let image = rbd::Image::open_read_only(ioctx, &path.image)?;
        let usage = image.disk_usage()?;
        let total_used_bytes = usage.total_used();
        let snapshots = usage.snapshots.into_iter().map(|snapshot| SnapshotUsage {
            id: snapshot.id,
            name: snapshot.name,
            provisioned_bytes: snapshot.provisioned,
            used_bytes: snapshot.used,
        });
        Ok(Usage {
            provisioned_bytes: usage.provisioned,
            used_bytes: usage.used,
            total_used_bytes,
            snapshots: snapshots.collect(),
        })
    };
    let measured = app.ceph.in_pool(&place.place(path.pool), measure).await?;
    Ok(Json(measured))
}

/// How large an image is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSize {
    /// Rounded up to MiB.
    size: Quantity,
    /// Whether it may become smaller, which destroys what lies past the new end.
    #[serde(default)]
    allow_shrink: bool,
}

/// Opens an image read-only, at a snapshot if one is named.
pub fn open_to_look(
    ioctx: &IoCtx,
    name: &str,
    snapshot: Option<&str>,
) -> rados::Result<rbd::Image> {
    let mut options = OpenOptions::new().read_only();
    if let Some(snapshot) = snapshot {
        options = options.snapshot(snapshot);
    }
    options.open(ioctx, name)
}

/// Resize an image
///
/// It grows, or stays as it is when it is large enough already. It becomes smaller only with `allow_shrink`: that is
/// an operation.
#[utoipa::path(post, path = "/pools/{pool}/images/{image}/resize", tag = "images", params(ImageParts, PlaceQuery), request_body = NewSize, responses((status = 200, body = Image), (status = 202, body = Operation), Problems))]
async fn resize(
    State(app): State<AppState>,
    Path(path): Path<ImageParts>,
    Query(place): Query<PlaceQuery>,
    Json(new): Json<NewSize>,
) -> Result<Response> {
    let size = in_mib(new.size)?;
    let (place, name) = (place.place(path.pool), path.image);
    let grow = {
        let name = name.clone();
        move |ioctx: &IoCtx| grow(ioctx, &name, size)
    };
    let image = app.ceph.in_pool(&place, grow).await?;
    if image.size() <= size || !new.allow_shrink {
        return Ok(Json(image).into_response());
    }
    let subject = format!("{place}/{name}");
    let shrink = move |conn: &Conn, progress: &Progress| {
        let image = rbd::Image::open(&place.ioctx(conn)?, &name)?;
        let kept = exclusive::keep(&image)?;
        let report = |done, total| progress.at(done, total);
        image.resize_with_progress(size, Shrink::Allow, report)?;
        drop(kept);
        Ok(image.close()?)
    };
    let kind = OperationKind::Resize;
    let accepted = app.operations.start(&app.ceph, kind, subject, shrink);
    Ok(accepted.await?.into_response())
}

/// Makes an image as large, unless it is so already.
fn grow(ioctx: &IoCtx, name: &str, size: u64) -> Result<Image> {
    let image = Image::look_at(ioctx, name, None)?;
    if image.size() >= size {
        return Ok(image);
    }
    let image = rbd::Image::open(ioctx, name)?;
    let resized = image.resize(size, Shrink::Deny);
    image.close()?;
    let image = Image::look_at(ioctx, name, None)?;
    match resized {
        // Another was faster.
        Err(error) if error.kind() == ErrorKind::InvalidArgument && image.size() >= size => {}
        resized => resized?,
    }
    Ok(image)
}

/// The size that images get for this one.
pub fn in_mib(size: Quantity) -> Result<u64> {
    let size = size.round_up_to_mib();
    size.ok_or_else(|| Problem::invalid("the size is too large"))
}

/// What an image is to be called.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewName {
    name: Name,
}

/// Rename an image
#[utoipa::path(post, path = "/pools/{pool}/images/{image}/rename", tag = "images", params(ImageParts, PlaceQuery), request_body = NewName, responses((status = 200, body = Image), Problems))]
async fn rename(
    State(app): State<AppState>,
    Path(path): Path<ImageParts>,
    Query(place): Query<PlaceQuery>,
    Json(new): Json<NewName>,
) -> Result<Json<Image>> {
    let rename = move |ioctx: &IoCtx| {
        rbd::rename(ioctx, &path.image, &new.name)?;
        Image::look_at(ioctx, &new.name, None)
    };
    let renamed = app.ceph.in_pool(&place.place(path.pool), rename).await?;
    Ok(Json(renamed))
}

/// How to remove an image.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RemoveQuery {
    /// To the trash.
    #[serde(default)]
    trash: bool,
    /// For so long it is not removed from the trash without force; only with `trash`.
    #[param(maximum = 4_294_967_295_u64)]
    delay_seconds: Option<u32>,
}

/// Remove an image, or move it to the trash
///
/// With `trash` that is done when it is answered; without, it is an operation.
#[utoipa::path(delete, path = "/pools/{pool}/images/{image}", tag = "images", params(ImageParts, PlaceQuery, RemoveQuery), responses((status = 202, body = Operation), (status = 204), Problems))]
async fn remove(
    State(app): State<AppState>,
    Path(path): Path<ImageParts>,
    Query(place): Query<PlaceQuery>,
    Query(query): Query<RemoveQuery>,
) -> Result<Response> {
    let (place, name) = (place.place(path.pool), path.image);
    if query.trash {
        let delay = Duration::from_secs(query.delay_seconds.unwrap_or(0).into());
        let to_trash = move |ioctx: &IoCtx| Ok(rbd::trash_move(ioctx, &name, delay)?);
        app.ceph.in_pool(&place, to_trash).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    if query.delay_seconds.is_some() {
        return Err(Problem::invalid("delay_seconds is only for trash=true"));
    }
    let check = {
        let name = name.clone();
        move |ioctx: &IoCtx| removable(ioctx, &name)
    };
    app.ceph.in_pool(&place, check).await?;
    let subject = format!("{place}/{name}");
    let kind = OperationKind::RemoveImage;
    let remove = move |conn: &Conn, progress: &Progress| {
        let report = |done, total| progress.at(done, total);
        let ioctx = place.ioctx(conn)?;
        Ok(rbd::remove_with_progress(&ioctx, &name, report)?)
    };
    let accepted = app.operations.start(&app.ceph, kind, subject, remove);
    Ok(accepted.await?.into_response())
}

/// Refuses what is known beforehand.
fn removable(ioctx: &IoCtx, name: &str) -> Result<()> {
    match rbd::Image::open_read_only(ioctx, name) {
        Ok(image) => unused(&image),
        // One whose removal broke off cannot be opened, but removed.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let listed = rbd::list(ioctx)?.iter().any(|entry| entry.name == name);
            if listed { Ok(()) } else { Err(error.into()) }
        }
        Err(error) => Err(error.into()),
    }
}

/// Refuses an image that cannot be removed as things are.
pub fn unused(image: &rbd::Image) -> Result<()> {
    let snapshots = image.snap_list()?.len();
    if snapshots > 0 {
        let detail = format!("the image has {snapshots} snapshots; remove them first");
        return Err(Problem::conflict("not-empty", detail));
    }
    if let Some(group) = image.group()? {
        let detail = format!(
            "the image is in the group {}; take it out first",
            group.name
        );
        return Err(Problem::conflict("busy", detail));
    }
    if let Some(watcher) = image.watchers()?.first() {
        let detail = format!(
            "the image is open elsewhere, at {}, or was in a client that died less than half a minute ago",
            watcher.addr
        );
        return Err(Problem::conflict("busy", detail));
    }
    Ok(())
}
