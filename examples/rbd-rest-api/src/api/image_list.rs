//! The images of a pool, page by page.

use axum::extract::State;
use futures_util::{StreamExt, TryStreamExt, stream};
use rados::IoCtx;
use rbd::ImageEntry;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::List;
use super::images::{Image, PlaceQuery};
use super::namespaces::must_exist;
use super::pools::PoolParts;
use crate::app::{App, AppState};
use crate::ceph::Place;
use crate::extract::{Json, Path, Query};
use crate::hex;
use crate::problem::{Problem, Problems, Result};

/// The most images in a page: of names, and with details.
const MAX: (u32, u32) = (1000, 100);

/// How many images a request looks at at a time.
const AT_ONCE: usize = 8;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which images.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// How many at most: 1000, which is the default; with `details` 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `Continue` of the page before.
    #[serde(rename = "continue")]
    after: Option<String>,
    /// Only those whose names begin so.
    #[serde(default)]
    prefix: String,
    /// Look at each.
    #[serde(default)]
    details: bool,
}

/// An image in a list.
#[derive(Serialize)]
#[serde(untagged)]
enum ImageItem {
    Name(ImageName),
    Details(Box<Image>),
}

/// An image in a list, without details.
#[derive(Serialize, ToSchema)]
struct ImageName {
    #[schema(example = "disk1")]
    name: String,
    /// Its id, which stays the same when it is renamed.
    #[schema(example = "10d5a4e6b8d2")]
    id: String,
    /// Why it has no details though they were asked for: it may be half removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

impl PartialSchema for ImageItem {
    fn schema() -> RefOr<Schema> {
        AnyOfBuilder::new()
            .item(Ref::from_schema_name(ImageName::name()))
            .item(Ref::from_schema_name(Image::name()))
            .description(Some(
                "An image in a list, with details if they were asked for",
            ))
            .into()
    }
}

impl ToSchema for ImageItem {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((ImageName::name().into(), ImageName::schema()));
        schemas.push((Image::name().into(), Image::schema()));
        ImageName::schemas(schemas);
    }
}

/// List the images of a pool
///
/// They are sorted by name. With `Continue` of a page as the parameter `continue`, the next one begins after the
/// last name of that, so images that come and go meanwhile neither hide others nor have them listed twice.
#[utoipa::path(get, path = "/pools/{pool}/images", tag = "images", params(PoolParts, PlaceQuery, ListQuery), responses((status = 200, body = List<ImageItem>), Problems))]
async fn list(
    State(app): State<AppState>,
    Path(path): Path<PoolParts>,
    Query(place): Query<PlaceQuery>,
    Query(query): Query<ListQuery>,
) -> Result<Json<List<ImageItem>>> {
    let max = if query.details { MAX.1 } else { MAX.0 };
    let limit = query.limit.unwrap_or(max);
    if !(1..=max).contains(&limit) {
        return Err(Problem::invalid(format!("limit is not in 1..={max}")));
    }
    let after = query.after.as_deref().map(from_token).transpose()?;
    let place = place.place(path.pool);
    let end = Instant::now() + app.settings.load().deadline;
    let page = move |ioctx: &IoCtx| page(ioctx, &query.prefix, after, limit as usize);
    let (images, next) = app.ceph.in_pool(&place, page).await?;
    let items = match query.details {
        true => look_at_each(&app, &place, images, end).await?,
        false => images.into_iter().map(|image| named(image, None)).collect(),
    };
    Ok(Json(List::page("ImageList", items, next)))
}

/// A page, and the token of the next one if there is one.
fn page(
    ioctx: &IoCtx,
    prefix: &str,
    after: Option<String>,
    limit: usize,
) -> Result<(Vec<ImageEntry>, Option<String>)> {
    let mut images = rbd::list(ioctx)?;
    if images.is_empty() {
        must_exist(ioctx)?;
    }
    images.retain(|image| {
        image.name.starts_with(prefix) && after.as_ref().is_none_or(|after| image.name > *after)
    });
    images.sort_unstable();
    // One that is being removed may have the name of another.
    images.dedup_by(|a, b| a.name == b.name);
    let more = images.len() > limit;
    images.truncate(limit);
    let last = images.last().filter(|_| more);
    let next = last.map(|image| hex::encode(&image.name));
    Ok((images, next))
}

fn from_token(token: &str) -> Result<String> {
    let name = hex::decode(token).and_then(|name| String::from_utf8(name).ok());
    name.ok_or_else(|| Problem::invalid("continue is not what a list had as Continue"))
}

async fn look_at_each(
    app: &App,
    place: &Place,
    images: Vec<ImageEntry>,
    end: Instant,
) -> Result<Vec<ImageItem>> {
    let look = async |image: ImageEntry| {
        let (place, name) = (place.clone(), image.name.clone());
        let rest = end.saturating_duration_since(Instant::now());
        let call = app.ceph.call_within(rest, move |conn| {
            Image::look_at(&place.ioctx(conn)?, &name, None)
        });
        match call.await {
            Ok(image) => Ok(ImageItem::Details(Box::new(image))),
            Err(problem) if problem.status().is_server_error() => Err(problem),
            Err(problem) => Ok(named(image, Some(problem))),
        }
    };
    let looks = stream::iter(images).map(look).buffered(AT_ONCE);
    looks.try_collect().await
}

fn named(image: ImageEntry, problem: Option<Problem>) -> ImageItem {
    ImageItem::Name(ImageName {
        name: image.name,
        id: image.id,
        problem,
    })
}
