//! How the service ends.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use testcluster::wait_until;

use crate::common::{Service, wait_ready};
use crate::raw::{Raw, status_of};

const LONG: Duration = Duration::from_secs(30);
const HEAD: &str = "POST /api/v1/pools HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
    Content-Length: 2\r\n\r\n";

#[test]
fn what_is_in_flight_is_finished() {
    let mut service = Service::start();
    let mut kept = Raw::connect(&service);
    assert_eq!(kept.send("GET /healthz HTTP/1.1\r\n\r\n").status(), 200);
    let mut begun = Raw::connect(&service);
    begun.send(HEAD);
    wait_until("the request is in flight", LONG, || {
        service.metric("rbd_rest_api_requests_in_flight") == 2.0
    })
    .unwrap();
    service.signal(Signal::TERM);
    assert_eq!(kept.rest(), "", "idle connections are closed");
    begun.send("{}");
    assert_eq!(begun.status(), 422);
    assert_eq!(begun.rest(), "");
    assert_eq!(service.wait().code(), Some(0));
}

#[test]
fn it_is_not_ready_before_it_ends() {
    let args = ["--insecure-no-auth", "--drain", "5"];
    let mut service = Service::start_with(&args);
    wait_ready(&service);
    let ready = "GET /readyz HTTP/1.1\r\n\r\n";
    assert_eq!(status_of(&service, ready), 200);
    service.signal(Signal::TERM);
    wait_until("it is not ready", LONG, || {
        status_of(&service, ready) == 503
    })
    .unwrap();
    // As long as others may not know of that, it serves them.
    let answer = service.get("/api/v1/pools");
    answer.ok();
    assert_eq!(answer.headers["connection"], "close");
    assert_eq!(service.get("/healthz").status, 200);
    assert_eq!(service.wait().code(), Some(0));
}

#[test]
fn who_takes_too_long_is_left_behind() {
    let args = ["--insecure-no-auth", "--grace", "0.5"];
    let mut service = Service::start_with(&args);
    let mut begun = Raw::connect(&service);
    begun.send(HEAD);
    wait_until("the request is in flight", LONG, || {
        service.metric("rbd_rest_api_requests_in_flight") == 2.0
    })
    .unwrap();
    let start = Instant::now();
    assert_eq!(service.terminate().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(15));
    assert_eq!(begun.rest(), "");
}

#[test]
fn no_request_is_dropped_while_it_ends() {
    let args = ["--insecure-no-auth", "--drain", "5"];
    let mut service = Service::start_with(&args);
    wait_ready(&service);
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            // New connections, as a balancer makes them until it hears.
            let ask = || {
                let request = "GET /api/v1/pools HTTP/1.1\r\n\r\n";
                assert_eq!(status_of(&service, request), 200);
            };
            while status_of(&service, "GET /readyz HTTP/1.1\r\n\r\n") == 200 {
                ask();
            }
            (0..20).for_each(|_| ask());
        });
        service.signal(Signal::TERM);
        asking.join().unwrap();
    });
    assert_eq!(service.wait().code(), Some(0));
}
