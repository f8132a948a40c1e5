//! Pools.

use std::num::NonZeroU32;

use axum::extract::State;
use axum::http::StatusCode;
use rados::{IoCtx, PoolOptions};
use rbd::Force;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::List;
use crate::app::AppState;
use crate::auth::Admin;
use crate::ceph::Place;
use crate::extract::{Json, Path};
use crate::names::Name;
use crate::problem::{Problem, Problems, Result};

pub fn router() -> OpenApiRouter<AppState> {
    // With a slash at the end, as some clients ask.
    let with_slash = axum::routing::get(list).post(create);
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, delete))
        .route("/pools/", with_slash)
}

/// A pool in a list.
#[derive(Serialize, ToSchema)]
#[schema(as = PoolName)]
struct PoolItem {
    #[schema(example = "rbd")]
    name: String,
}

/// A pool.
#[derive(Serialize, ToSchema)]
struct Pool {
    #[schema(example = "rbd")]
    name: String,
    /// Its number.
    id: i64,
    /// Bytes that clients have written, copies not counted.
    user_bytes: u64,
    /// Objects.
    objects: u64,
    /// Bytes of raw space in use, copies counted.
    used_bytes: u64,
    /// Bytes of the whole cluster that are free, raw.
    cluster_available_bytes: u64,
    /// Images.
    images: u64,
    /// Bytes of all images' sizes.
    provisioned_bytes: u64,
    /// Snapshots of images.
    snapshots: u64,
    /// Images in the trash.
    trash_images: u64,
    /// Bytes of their sizes.
    trash_provisioned_bytes: u64,
}

/// A pool to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPool {
    name: Name,
    /// Placement groups; the cluster decides otherwise.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 32768)]
    pg_num: Option<NonZeroU32>,
    /// Copies of the data; the cluster decides otherwise.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 10)]
    copies: Option<NonZeroU32>,
}

/// The pool in a path.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct PoolParts {
    /// The pool's name.
    pub pool: Name,
}

impl PoolParts {
    /// The pool, and no namespace of it.
    pub fn place(self) -> Place {
        Place {
            pool: self.pool.into(),
            namespace: String::new(),
        }
    }
}

/// List the pools
#[utoipa::path(get, path = "/pools", tag = "pools", responses((status = 200, body = List<PoolItem>), Problems))]
async fn list(State(app): State<AppState>) -> Result<Json<List<PoolItem>>> {
    let names = app.ceph.call(|conn| {
        // What others have made or deleted just now is otherwise seen some time later.
        conn.wait_for_latest_osdmap()?;
        Ok(conn.pool_list()?)
    });
    let names = names.await?;
    let items = names.into_iter().map(|name| PoolItem { name }).collect();
    Ok(Json(List::new("PoolList", items)))
}

/// Make a pool for images
#[utoipa::path(post, path = "/pools", tag = "pools", request_body = NewPool, responses((status = 201, body = Pool), Problems))]
async fn create(
    _: Admin,
    State(app): State<AppState>,
    Json(new): Json<NewPool>,
) -> Result<(StatusCode, Json<Pool>)> {
    let pool = app.ceph.call(move |conn| {
        let mut options = PoolOptions::new();
        if let Some(number) = new.pg_num {
            options = options.pg_num(number);
        }
        if let Some(copies) = new.copies {
            options = options.copies(copies);
        }
        conn.pool_create_with(&new.name, &options)?;
        let ioctx = conn.ioctx(&new.name)?;
        rbd::pool_init(&ioctx, Force::No)?;
        look_at(&ioctx)
    });
    Ok((StatusCode::CREATED, Json(pool.await?)))
}

/// Look at a pool
#[utoipa::path(get, path = "/pools/{pool}", tag = "pools", params(PoolParts), responses((status = 200, body = Pool), Problems))]
async fn get(State(app): State<AppState>, Path(path): Path<PoolParts>) -> Result<Json<Pool>> {
    Ok(Json(app.ceph.in_pool(&path.place(), look_at).await?))
}

/// Delete a pool and everything in it
///
/// The service must have been started with `--allow-pool-delete`.
#[utoipa::path(delete, path = "/pools/{pool}", tag = "pools", params(PoolParts), responses((status = 204), Problems))]
async fn delete(
    _: Admin,
    State(app): State<AppState>,
    Path(path): Path<PoolParts>,
) -> Result<StatusCode> {
    if !app.settings.load().allow_pool_delete {
        let detail = "the service was started without --allow-pool-delete";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
    }
    let delete = app.ceph.call(move |conn| Ok(conn.pool_delete(&path.pool)?));
    delete.await.map(|()| StatusCode::NO_CONTENT)
}

fn look_at(ioctx: &IoCtx) -> Result<Pool> {
    let stat = ioctx.pool_stat()?;
    let images = rbd::pool_stats(ioctx)?;
    Ok(Pool {
        name: ioctx.pool_name()?,
        id: ioctx.pool_id()?,
        user_bytes: stat.user_bytes,
        objects: stat.objects,
        used_bytes: stat.bytes,
        cluster_available_bytes: ioctx.conn().cluster_stat()?.available,
        images: images.images.images,
        provisioned_bytes: images.images.provisioned_bytes,
        snapshots: images.images.snapshots,
        trash_images: images.trash.images,
        trash_provisioned_bytes: images.trash.provisioned_bytes,
    })
}
