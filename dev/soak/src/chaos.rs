//! Storage daemons that come and go.

use std::thread;
use std::time::Duration;

use testcluster::{Daemon, OsdState, TestCluster};

use crate::{End, Result};

/// How many there are. At most one is away, which a pool of three copies goes on without.
pub const OSDS: u32 = 3;

/// Kills one now and then, and starts it again. Answers how often.
pub fn come_and_go(cluster: &TestCluster, end: &End, seed: u64) -> Result<u32> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut kills = 0;
    loop {
        if !pause(end, random.u64(5..20)) {
            return Ok(kills);
        }
        let osd = random.u32(..OSDS);
        cluster.kill(Daemon::Osd(osd))?;
        pause(end, random.u64(1..10));
        cluster.restart(Daemon::Osd(osd))?;
        cluster.wait_osd_state(osd, OsdState::Up, Duration::from_secs(60))?;
        kills += 1;
    }
}

/// Waits for so many seconds, or until the end is near.
fn pause(end: &End, seconds: u64) -> bool {
    for _ in 0..seconds {
        if end.is_near() {
            return false;
        }
        thread::sleep(Duration::from_secs(1));
    }
    true
}
