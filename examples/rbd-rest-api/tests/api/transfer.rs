//! What the tests of uploads and downloads share: a client that can stop in the middle.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rados::IoCtx;
use rbd::Image;
use testcluster::wait_until;

use crate::common::{Pool, Service, cluster, rbd};

pub const MIB: u64 = 1 << 20;

/// Bytes that differ from place to place.
pub fn pattern(seed: u64, len: u64) -> Vec<u8> {
    let block: Vec<u8> = (0..65_521_u32)
        .map(|n| (n.wrapping_mul(n) / 7 + n) as u8)
        .collect();
    let len = usize::try_from(len).unwrap();
    let mut bytes = block.repeat(len / block.len() + 1);
    bytes.truncate(len);
    for (n, place) in bytes.chunks_exact_mut(4096).enumerate() {
        place[..8].copy_from_slice(&(seed << 32 | n as u64).to_le_bytes());
    }
    bytes
}

/// The pool, for what is faster by the library than by a command.
pub fn ioctx(pool: &Pool) -> IoCtx {
    let conf = cluster().conf_path();
    let conn = rados::Conn::builder().config_file(conf).connect().unwrap();
    conn.ioctx(&pool.name).unwrap()
}

/// A new image with pieces of data, and what it then has.
pub fn image(pool: &Pool, name: &str, size: u64, data: &[(u64, u64)]) -> Vec<u8> {
    let ioctx = ioctx(pool);
    rbd::create(&ioctx, name, size).unwrap();
    let image = Image::open(&ioctx, name).unwrap();
    let mut content = vec![0; usize::try_from(size).unwrap()];
    for &(offset, len) in data {
        let piece = pattern(offset + 1, len);
        image.write_all_at(&piece, offset).unwrap();
        content[usize::try_from(offset).unwrap()..][..piece.len()].copy_from_slice(&piece);
    }
    image.close().unwrap();
    content
}

/// What the command `rbd` says an image has.
pub fn exported(args: &[&str]) -> Vec<u8> {
    let output = cluster().command("rbd").args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

/// An answer, whose body is bytes.
pub struct Bytes {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub body: Vec<u8>,
}

impl Bytes {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }
}

/// Downloads with these headers.
pub fn get(service: &Service, path: &str, headers: &[(&str, &str)]) -> Bytes {
    let mut request = service.agent().get(format!("{}{path}", service.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, body) = request.call().unwrap().into_parts();
    let mut bytes = Vec::new();
    body.into_reader().read_to_end(&mut bytes).unwrap();
    Bytes {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: bytes,
    }
}

/// A request on a connection of its own.
pub struct Raw {
    pub stream: BufReader<TcpStream>,
}

impl Raw {
    /// Sends the request's head.
    pub fn start(service: &Service, method: &str, path: &str, headers: &[(&str, &str)]) -> Self {
        let address = service.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        stream
            .set_write_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    /// Sends a chunk of a body without a length; an empty one ends it.
    pub fn send_chunk(&mut self, bytes: &[u8]) {
        self.send(format!("{:x}\r\n", bytes.len()).as_bytes());
        self.send(bytes);
        self.send(b"\r\n");
    }

    /// Reads the answer's head: its status, and how long its body is.
    pub fn head(&mut self) -> (u16, Option<u64>) {
        let (mut status, mut len) = (0, None);
        for n in 0.. {
            let mut line = String::new();
            self.stream.read_line(&mut line).unwrap();
            match line.trim_end().split_once(' ') {
                Some((_, text)) if n == 0 => status = text[..3].parse().unwrap(),
                Some((name, value)) if name.eq_ignore_ascii_case("content-length:") => {
                    len = Some(value.parse().unwrap());
                }
                Some(_) => {}
                None => break,
            }
        }
        (status, len)
    }

    /// Reads the whole answer: its status and body.
    pub fn answer(&mut self) -> (u16, String) {
        let (status, len) = self.head();
        let mut body = vec![0; usize::try_from(len.unwrap_or(0)).unwrap()];
        self.stream.read_exact(&mut body).unwrap();
        (status, String::from_utf8(body).unwrap())
    }

    /// How much more comes until the connection ends or breaks.
    pub fn rest(&mut self) -> u64 {
        let (mut count, mut buffer) = (0, vec![0; 1 << 16]);
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) | Err(_) => return count,
                Ok(len) => count += len as u64,
            }
        }
    }
}

/// Waits until nobody has the image open for writing.
pub fn wait_until_closed(pool: &Pool, image: &str) {
    wait_until_open(pool, image, 0);
}

/// Waits until it is open for writing so many times.
pub fn wait_until_open(pool: &Pool, image: &str, times: usize) {
    let spec = format!("{}/{image}", pool.name);
    let open = || rbd(&["status", &spec]).matches("watcher=").count() == times;
    let what = format!("the image is open {times} times");
    wait_until(&what, Duration::from_secs(20), open).unwrap();
}

/// A number that the system tells of the process.
pub fn status_of(service: &Service, key: &str) -> u64 {
    let path = format!("/proc/{}/status", service.pid().as_raw_nonzero());
    let text = std::fs::read_to_string(path).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let number = line.unwrap().trim_start_matches(':').trim();
    let number = number.strip_suffix(" kB").unwrap_or(number);
    number.parse().unwrap()
}
