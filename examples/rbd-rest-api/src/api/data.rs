//! The content of images.

use std::iter;
use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use rados::{ErrorKind, IoCtx};
use rbd::{DiffOptions, Image, ImageStream, ImageWriter, IoFlags};
use serde::Deserialize;
use utoipa::openapi::schema::{ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{KnownFormat, RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::images::{ImageParts, empty_is_none, open_to_look};
use crate::app::AppState;
use crate::ceph::Ceph;
use crate::extract::{Path, Query};
use crate::names::Name;
use crate::problem::{Problem, Problems, Result};
use crate::range::{Wanted, content_range};
use crate::transfers::{CHUNK, Gone, Intake, Outlet, Transfer, cut_short};

/// For how much of an image it is asked at once where there is data.
const WINDOW: u64 = 4 << 30;
/// Parts up to this are read without asking that.
const SMALL: u64 = 16 << 20;
/// Zeros up to multiples of this are written at once: whole objects then take no space.
const ZEROED: u64 = 4 << 20;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get, head, put))
}

/// Bytes, for the OpenAPI document.
pub struct Content;

impl PartialSchema for Content {
    fn schema() -> RefOr<Schema> {
        let binary = SchemaFormat::KnownFormat(KnownFormat::Binary);
        let content = ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(binary));
        content.into()
    }
}

impl ToSchema for Content {}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct GetQuery {
    /// A namespace of the pool; the one without a name by default.
    #[serde(default, deserialize_with = "empty_is_none")]
    namespace: Option<Name>,
    /// The snapshot with the content that is wanted.
    snapshot: Option<Name>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct PutQuery {
    /// A namespace of the pool; the one without a name by default.
    #[serde(default, deserialize_with = "empty_is_none")]
    namespace: Option<Name>,
}

/// Download an image's content, or a part of it
///
/// What is not there is not read. While others write to the image the content is that of no one moment: ask for a
/// snapshot's. When it cannot be completed the connection is broken off before its `Content-Length`.
#[utoipa::path(
    get,
    path = "/pools/{pool}/images/{image}/data",
    tag = "data",
    params(
        ImageParts,
        GetQuery,
        ("Range" = Option<String>, Header, description = "One part, as `bytes=0-4095`, `bytes=4096-`, `bytes=-512`"),
    ),
    responses(
        (status = 200, description = "The content", body = Content, content_type = "application/octet-stream"),
        (status = 206, description = "The part", body = Content, content_type = "application/octet-stream"),
        (status = 416, description = "There is nothing of that part", body = Problem, content_type = "application/problem+json"),
        Problems,
    ),
)]
async fn get(
    State(app): State<AppState>,
    Path(path): Path<ImageParts>,
    Query(query): Query<GetQuery>,
    headers: HeaderMap,
) -> Result<Response> {
    let transfer = app.transfers.begin()?;
    let opened = Opened::open(&app.ceph, path, query).await?;
    let size = opened.size;
    // There is nothing to compare with for If-Range.
    let asked = match headers.contains_key(header::IF_RANGE) {
        true => None,
        false => headers.get(header::RANGE),
    };
    let asked = asked.and_then(|range| range.to_str().ok());
    let (status, part) = match asked.map_or(Wanted::All, |range| Wanted::of(range, size)) {
        Wanted::All => (StatusCode::OK, 0..size),
        Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Wanted::Nothing => {
            opened.image.aio_close().await?;
            return Ok(nothing_of(size));
        }
    };
    let mut response = headed(status, part.end - part.start);
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {}-{}/{size}", part.start, part.end - 1);
        let range = HeaderValue::try_from(range).expect("these are digits");
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    let (outlet, pieces) = transfer.outlet();
    tokio::spawn(download(app.ceph.clone(), transfer, opened, part, outlet));
    *response.body_mut() = pieces.into_body(Bytes::new());
    Ok(response)
}

/// Look how large an image's content is
#[utoipa::path(
    head,
    path = "/pools/{pool}/images/{image}/data",
    tag = "data",
    params(ImageParts, GetQuery),
    responses((status = 200, description = "As of a download, without the content"), Problems),
)]
async fn head(
    State(app): State<AppState>,
    Path(path): Path<ImageParts>,
    Query(query): Query<GetQuery>,
) -> Result<Response> {
    let opened = Opened::open(&app.ceph, path, query).await?;
    opened.image.aio_close().await?;
    Ok(headed(StatusCode::OK, opened.size))
}

/// Upload a part of an image's content
///
/// Where it goes says `Content-Range`; without that it is the start. The answer comes when everything is on stable
/// storage. If not everything was written, the text says how much was.
#[utoipa::path(
    put,
    path = "/pools/{pool}/images/{image}/data",
    tag = "data",
    params(
        ImageParts,
        PutQuery,
        ("Content-Range" = Option<String>, Header, description = "Where it goes, as `bytes 4096-8191/*`"),
    ),
    request_body(content = Content, content_type = "application/octet-stream"),
    responses(
        (status = 204, description = "It is written"),
        (status = 411, description = "Neither `Content-Range` nor `Content-Length` says how much there is", body = Problem, content_type = "application/problem+json"),
        Problems,
    ),
)]
async fn put(
    State(app): State<AppState>,
    Path(path): Path<ImageParts>,
    Query(query): Query<PutQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode> {
    let (part, told) = place_of(&headers)?;
    let transfer = app.transfers.begin()?;
    let mut intake = transfer.intake(body);
    let (end, place) = (part.end, path.place(query.namespace));
    let image = app.ceph.in_pool(&place, move |ioctx| {
        let image = Image::open(ioctx, &path.image)?;
        let size = image.size()?;
        let detail = match told {
            _ if end > size => {
                format!("the image has {size} bytes, and this would be written up to {end}")
            }
            Some(told) if told != size => {
                format!("the image has {size} bytes, not {told} as Content-Range says")
            }
            _ => return Ok(image),
        };
        image.close()?;
        Err(Problem::invalid(detail))
    });
    let image = match image.await {
        Ok(image) => image,
        Err(problem) => {
            intake.discard();
            return Err(problem);
        }
    };
    // It ends in order when the client has gone and this is dropped.
    let upload = tokio::spawn(async move {
        let uploaded = upload(&image, part, &transfer, &mut intake).await;
        if uploaded.is_err() {
            intake.discard();
        }
        let closed = image.aio_close().await;
        uploaded.and(closed.map_err(Problem::from))
    });
    let uploaded = upload.await.unwrap_or_else(|error| {
        std::panic::resume_unwind(error.into_panic()) // it is not aborted
    });
    uploaded.inspect_err(|problem| app.ceph.look_at(problem))?;
    Ok(StatusCode::NO_CONTENT)
}

/// An image that is open for a download.
struct Opened {
    image: Image,
    size: u64,
}

impl Opened {
    async fn open(ceph: &Ceph, path: ImageParts, query: GetQuery) -> Result<Self> {
        let place = path.place(query.namespace);
        let opened = ceph.in_pool(&place, move |ioctx: &IoCtx| {
            let image = open_to_look(ioctx, &path.image, query.snapshot.as_deref())?;
            let size = image.size()?;
            Ok(Self { image, size })
        });
        opened.await
    }

    /// Checks that everything before `end` is still there: what has been removed or cut off meanwhile reads as
    /// zeros, and a handle that is open for reading only does not notice.
    fn check(&self, end: u64) -> Result<()> {
        match self.image.still_there() {
            Ok(size) if size >= end => Ok(()),
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Err(gone(&self.image)),
        }
    }
}

fn gone(image: &Image) -> Problem {
    let detail = format!("{image:?} has been removed or made smaller meanwhile");
    Problem::conflict("gone", detail)
}

/// An answer that says how large its body is.
fn headed(status: StatusCode, len: u64) -> Response {
    let headers = [
        (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_LENGTH, HeaderValue::from(len)),
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        ),
    ];
    (status, headers).into_response()
}

/// The answer that there is nothing of the part that was asked for.
fn nothing_of(size: u64) -> Response {
    let detail = format!("the image has {size} bytes");
    let status = StatusCode::RANGE_NOT_SATISFIABLE;
    let mut response = Problem::new(status, "range-not-satisfiable", detail).into_response();
    let range = HeaderValue::try_from(format!("bytes */{size}")).expect("these are digits");
    response.headers_mut().insert(header::CONTENT_RANGE, range);
    response
}

/// Why a download ends early.
enum Ended {
    Gone,
    Failed(Problem),
}

impl From<Gone> for Ended {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<rados::Error> for Ended {
    fn from(error: rados::Error) -> Self {
        Self::Failed(error.into())
    }
}

async fn download(
    ceph: Ceph,
    transfer: Transfer,
    opened: Opened,
    part: Range<u64>,
    mut outlet: Outlet,
) {
    let opened = Arc::new(opened);
    match send(&opened, part.clone(), &transfer, &mut outlet).await {
        Ok(()) => {
            // Who has gone knows it.
            let _ = outlet.finish().await;
        }
        Err(Ended::Gone) => tracing::info!("the client has left a download: {:?}", opened.image),
        Err(Ended::Failed(problem)) => {
            tracing::warn!("a download is broken off: {}", problem.detail());
            ceph.look_at(&problem);
            outlet.break_off(problem).await;
        }
    }
    if let Some(opened) = Arc::into_inner(opened)
        && let Err(error) = opened.image.aio_close().await
    {
        tracing::warn!("after a download: {error}");
    }
    drop(transfer);
}

async fn send(
    opened: &Arc<Opened>,
    part: Range<u64>,
    transfer: &Transfer,
    outlet: &mut Outlet,
) -> Result<(), Ended> {
    let mut position = part.start;
    while position < part.end {
        let end = part.end.min(position.saturating_add(WINDOW));
        let ranges = match end - position {
            ..=SMALL => iter::once(position..end).collect(),
            _ => {
                let opened = Arc::clone(opened);
                rados::blocking(move || data_in(&opened.image, position..end)).await?
            }
        };
        let mut chunks = ImageStream::with_ranges(&opened.image, ranges)
            .chunk_size(CHUNK)
            .depth(transfer.depth(CHUNK as usize))
            .flags(IoFlags::SEQUENTIAL | IoFlags::NO_CACHE);
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            outlet.put_zeros(chunk.offset - position).await?;
            position = chunk.offset + chunk.data.len() as u64;
            outlet.put(chunk.data.into()).await?;
        }
        outlet.put_zeros(end - position).await?;
        position = end;
    }
    let opened = Arc::clone(opened);
    let check = rados::blocking(move || opened.check(part.end));
    check.await.map_err(Ended::Failed)
}

/// Where there is data.
fn data_in(image: &Image, part: Range<u64>) -> rbd::Result<Vec<Range<u64>>> {
    let options = DiffOptions::new().include_parent().whole_object();
    let mut ranges = Vec::<Range<u64>>::new();
    for extent in image.diff(None, part.clone(), options) {
        let extent = extent?;
        let range = extent.offset..part.end.min(extent.offset + extent.len);
        match ranges.last_mut() {
            _ if !extent.exists => {}
            Some(last) if last.end == range.start => last.end = range.end,
            _ => ranges.push(range),
        }
    }
    Ok(ranges)
}

/// Where a body goes, and how large its sender takes the image for.
fn place_of(headers: &HeaderMap) -> Result<(Range<u64>, Option<u64>)> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let len = text(header::CONTENT_LENGTH).and_then(|len| len.parse::<u64>().ok());
    if !headers.contains_key(header::CONTENT_RANGE) {
        return len.map(|len| (0..len, None)).ok_or_else(|| {
            let detail = "neither Content-Range nor Content-Length says how much there is";
            Problem::new(StatusCode::LENGTH_REQUIRED, "length-required", detail)
        });
    }
    let place = text(header::CONTENT_RANGE).and_then(content_range);
    let (part, size) =
        place.ok_or_else(|| bad_request("Content-Range is not as bytes 0-4095/*"))?;
    let says = part.end - part.start;
    match len {
        Some(len) if len != says => Err(bad_request(format!(
            "Content-Range has {says} bytes, Content-Length {len}"
        ))),
        _ => Ok((part, size)),
    }
}

fn bad_request(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad-request", detail)
}

/// Writes a body to this part of an image. Afterwards no write is in flight.
async fn upload(
    image: &Image,
    part: Range<u64>,
    transfer: &Transfer,
    intake: &mut Intake,
) -> Result<()> {
    let mut writer = image
        .writer(part.start)
        .depth(transfer.depth(CHUNK as usize))
        .flags(IoFlags::SEQUENTIAL | IoFlags::NO_CACHE);
    let filled = fill(&mut writer, part.end, intake).await;
    let flushed = writer.flush().await.map_err(Problem::from);
    let result = filled.and(flushed);
    let written = writer.written() - part.start;
    image.drain().await;
    result.map_err(|problem| {
        let start = part.start;
        problem.with(format_args!("{written} bytes from {start} on are written"))
    })
}

async fn fill(writer: &mut ImageWriter<&Image>, end: u64, intake: &mut Intake) -> Result<()> {
    // What has come and not been given to the writer: zeros, then bytes up to a multiple of a chunk.
    let mut zeros = 0;
    let mut chunk = BytesMut::new();
    let mut position = writer.position();
    while let Some(mut bytes) = intake.next().await? {
        while !bytes.is_empty() {
            let offset = position - chunk.len() as u64;
            let chunk_end = end.min(next_multiple(offset, CHUNK.into()));
            if position == end {
                let detail = "the body is longer than announced";
                return Err(Problem::new(StatusCode::BAD_REQUEST, "bad-request", detail));
            }
            if chunk.is_empty() {
                chunk.reserve((chunk_end - offset) as usize); // at most a chunk
            }
            let room = (chunk_end - position) as usize; // as well
            let taken = bytes.split_to(room.min(bytes.len()));
            chunk.extend_from_slice(&taken);
            position += taken.len() as u64;
            if position < chunk_end {
                continue;
            }
            let whole = std::mem::take(&mut chunk);
            let is_zero = is_zero(&whole);
            if is_zero {
                zeros += whole.len() as u64;
            }
            if zeros > 0 && (!is_zero || position == end || position.is_multiple_of(ZEROED)) {
                writer.write_zeroes(std::mem::take(&mut zeros)).await?;
            }
            if !is_zero {
                writer.write(whole).await?;
            }
        }
    }
    match position == end {
        true => Ok(()),
        false => Err(cut_short(format!(
            "the body ended {} bytes before it should",
            end - position
        ))),
    }
}

fn next_multiple(offset: u64, of: u64) -> u64 {
    (offset / of + 1).saturating_mul(of)
}

fn is_zero(bytes: &[u8]) -> bool {
    static ZEROS: [u8; 4096] = [0; 4096];
    bytes
        .chunks(ZEROS.len())
        .all(|block| block == &ZEROS[..block.len()])
}
