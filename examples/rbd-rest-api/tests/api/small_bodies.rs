//! Refusals of requests whose bodies come late.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::common::Service;

#[test]
fn a_refusal_leaves_the_connection_for_the_next_request() {
    let service = Service::start();
    let host = service.url.trim_start_matches("http://");
    let mut connection = TcpStream::connect(host).unwrap();
    let patience = Some(Duration::from_secs(30));
    connection.set_read_timeout(patience).unwrap();
    for _ in 0..3 {
        let head = "POST /api/v1/pools/%2f/images HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n";
        connection.write_all(head.as_bytes()).unwrap();
        connection.write_all(b"null").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") {
            let mut part = [0; 4096];
            let len = connection.read(&mut part).unwrap();
            assert!(len > 0, "the connection has ended");
            answer.extend_from_slice(&part[..len]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 422"));
    }
}
