//! Images.

use axum::extract::State;
use rados::IoCtx;
use rbd::{ImageInfo, OpenOptions};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;
use crate::ceph::Place;
use crate::extract::{Json, Path, Query};
use crate::names::Name;
use crate::problem::{Problems, Result};

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get))
}

/// An image.
#[derive(Serialize, ToSchema)]
pub struct Image {
    /// Its pool.
    pool: String,
    /// Its namespace, which is empty for the default one.
    namespace: String,
    #[serde(flatten)]
    #[schema(value_type = Object)]
    info: ImageInfo,
}

impl Image {
    /// An image, or what it was at a snapshot.
    pub fn look_at(ioctx: &IoCtx, name: &str, snapshot: Option<&str>) -> Result<Self> {
        let mut options = OpenOptions::new().read_only();
        if let Some(snapshot) = snapshot {
            options = options.snapshot(snapshot);
        }
        let image = options.open(ioctx, name)?;
        let info = image.info()?;
        image.close()?;
        Ok(Self {
            pool: ioctx.pool_name()?,
            namespace: ioctx.namespace().to_owned(),
            info,
        })
    }
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
        Place {
            pool: self.pool.to_string(),
            namespace: namespace.map(String::from).unwrap_or_default(),
        }
    }
}

/// The namespace, and a snapshot.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ImageQuery {
    /// The namespace in the pool.
    namespace: Option<Name>,
    /// The snapshot to look at.
    snapshot: Option<Name>,
}

/// Look at an image
#[utoipa::path(get, path = "/pools/{pool}/images/{image}", tag = "images", params(ImageParts, ImageQuery), responses((status = 200, body = Image), Problems))]
async fn get(
    State(app): State<AppState>,
    Path(path): Path<ImageParts>,
    Query(query): Query<ImageQuery>,
) -> Result<Json<Image>> {
    let place = path.place(query.namespace);
    let look = move |ioctx: &IoCtx| Image::look_at(ioctx, &path.image, query.snapshot.as_deref());
    Ok(Json(app.ceph.in_pool(&place, look).await?))
}
