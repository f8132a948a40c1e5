//! New images.

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rados::{ErrorKind, IoCtx};
use rbd::{Features, ImageOptions, Order};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::images::{Image, PlaceQuery, in_mib};
use super::namespaces::must_exist;
use super::pools::PoolParts;
use crate::app::AppState;
use crate::extract::{Json, Path, Query};
use crate::idempotency::{self, Key};
use crate::names::Name;
use crate::problem::{Problem, Problems, Result};
use crate::quantity::Quantity;

/// Says that an answer is the one that an earlier request with the same key got.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(create))
}

/// An image to be made.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewImage {
    name: Name,
    /// Rounded up to MiB.
    size: Quantity,
    /// Exactly these features, maybe none; without this, the cluster's default.
    #[schema(example = json!(["layering", "exclusive-lock"]))]
    features: Option<Vec<String>>,
    /// The base-2 logarithm of the objects' size in bytes, which is 22 by default.
    #[schema(minimum = 12, maximum = 25)]
    order: Option<u8>,
    /// The objects' size in bytes, a power of 2; instead of `order`.
    object_size: Option<Quantity>,
    /// The pool for the data, if not this one.
    data_pool: Option<Name>,
    /// Bytes of a stripe's part; with `stripe_count`.
    stripe_unit: Option<Quantity>,
    /// Objects that a stripe is over; with `stripe_unit`.
    #[schema(minimum = 1)]
    stripe_count: Option<u64>,
}

/// Make an image
///
/// With an `Idempotency-Key`, the same request sent again within 24 hours, to any replica, makes nothing and answers
/// what the first one did, even if the image was changed or removed since; a header `Idempotency-Replayed` tells.
#[utoipa::path(
    post, path = "/pools/{pool}/images", tag = "images",
    params(
        PoolParts,
        PlaceQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "Makes it safe to send the request again", min_length = 1, max_length = 200, pattern = "^[!-~]+$"),
    ),
    request_body = NewImage,
    responses(
        (
            status = 201, body = Image,
            headers(
                ("Location" = String, description = "Where the image is"),
                ("Idempotency-Replayed" = String, description = "true if the request had been answered before"),
            ),
        ),
        Problems,
    ),
)]
async fn create(
    State(app): State<AppState>,
    Path(path): Path<PoolParts>,
    Query(query): Query<PlaceQuery>,
    key: Option<Key>,
    Json(new): Json<NewImage>,
) -> Result<Response> {
    let (options, size) = (new.options()?, in_mib(new.size)?);
    let location = location(&path.pool, &new.name, query.namespace.as_ref());
    let create = move |ioctx: &IoCtx| {
        let make = || new.make(ioctx, &options, size);
        match key {
            Some(key) => idempotency::create(ioctx, &key, &new, &new.name, make),
            None => make().and_then(|()| idempotency::Answer::new(ioctx, &new.name)),
        }
    };
    let answer = app.ceph.in_pool(&query.place(path.pool), create).await?;
    let location = HeaderValue::try_from(location).expect("a name in a URL is ASCII");
    let headers = [(header::LOCATION, location)];
    let image = axum::Json(answer.image);
    let mut response = (StatusCode::CREATED, headers, image).into_response();
    if answer.replayed {
        let headers = response.headers_mut();
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Where an image is in the API.
pub fn location(pool: &Name, image: &Name, namespace: Option<&Name>) -> String {
    let path = format!("/api/v1/pools/{}/images/{}", pool.in_url(), image.in_url());
    match namespace {
        Some(namespace) => format!("{path}?namespace={}", namespace.in_url()),
        None => path,
    }
}

impl NewImage {
    fn options(&self) -> Result<ImageOptions> {
        let mut options = ImageOptions::new();
        match (self.order, self.object_size) {
            (None, None) => {}
            (Some(order), None) => options = options.order(Order::new(order)?),
            (None, Some(size)) => options = options.order(Order::from_object_size(size.0)?),
            (Some(_), Some(_)) => {
                let detail = "order and object_size say the same: give one of them";
                return Err(Problem::invalid(detail));
            }
        }
        if let Some(names) = &self.features {
            options = options.features(features(names)?);
        }
        if let Some(pool) = &self.data_pool {
            options = options.data_pool(&**pool);
        }
        match (self.stripe_unit, self.stripe_count) {
            (None, None) => {}
            (Some(unit), Some(count)) => options = options.stripe(unit.0, count),
            _ => {
                let detail = "stripe_unit and stripe_count go together";
                return Err(Problem::invalid(detail));
            }
        }
        Ok(options)
    }

    fn make(&self, ioctx: &IoCtx, options: &ImageOptions, size: u64) -> Result<()> {
        if let Some(pool) = &self.data_pool
            && let Err(error) = ioctx.conn().pool_lookup(pool)
        {
            return Err(match error.kind() {
                ErrorKind::NotFound => Problem::invalid(format!("there is no data pool {pool}")),
                _ => error.into(),
            });
        }
        let made = options.create(ioctx, &self.name, size);
        if made
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::NotFound)
        {
            must_exist(ioctx)?;
        }
        Ok(made?)
    }
}

/// The features with these names.
pub fn features(names: &[String]) -> Result<Features> {
    names.iter().try_fold(Features::empty(), |set, name| {
        let feature: Features = name.parse()?;
        match feature.to_string() == *name && !name.is_empty() && !name.contains(',') {
            true => Ok(set | feature),
            false => Err(Problem::invalid(format!("{name:?} is not one feature"))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_named_one_by_one() {
        let of = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            features(&names)
        };
        assert_eq!(of(&[]).unwrap(), Features::empty());
        assert_eq!(of(&["layering"]).unwrap(), Features::LAYERING);
        for wrong in ["", "layering,exclusive-lock", " layering", "flying"] {
            of(&[wrong]).unwrap_err();
        }
    }

    #[test]
    fn a_location_has_names_that_survive() {
        let name = |name: &str| Name::try_from(name.to_owned()).unwrap();
        let path = location(&name("p"), &name("a b"), Some(&name("n&m")));
        assert_eq!(path, "/api/v1/pools/p/images/a%20b?namespace=n%26m");
    }
}
