//! Requests as no proper client sends them.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::common::Service;

/// A connection, on which any bytes may be sent.
pub struct Raw(TcpStream);

impl Raw {
    pub fn connect(service: &Service) -> Self {
        let stream = TcpStream::connect(service.address()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self(stream)
    }

    /// Sends it, unless the service has closed the connection.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.0.write_all(bytes.as_ref());
        self
    }

    /// Whether it can be sent.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).is_ok()
    }

    /// Everything until the service closes the connection.
    #[track_caller]
    pub fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("the connection stays open: {error}"),
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The status of the next answer; 0 if the connection was closed without.
    #[track_caller]
    pub fn status(&mut self) -> u16 {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            match self.0.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("no answer"),
                _ => return 0,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            let same = name.eq_ignore_ascii_case("content-length");
            same.then(|| value.parse::<u64>().unwrap())
        });
        let body = &mut (&self.0).take(length.unwrap_or_default());
        std::io::copy(body, &mut std::io::sink()).unwrap();
        head[9..12].parse().unwrap()
    }
}

/// The status that this request, on a connection of its own, is answered with; 0 if with none.
#[track_caller]
pub fn status_of(service: &Service, request: impl AsRef<[u8]>) -> u16 {
    Raw::connect(service).send(request).status()
}
