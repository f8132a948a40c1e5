//! tmp
fn main() {
    let n = std::env::args()
        .nth(1)
        .and_then(|s| s.parse().ok())
        .unwrap_or(1);
    let t = std::time::Instant::now();
    let c = testcluster::TestCluster::builder().osds(n).start();
    println!("{:?}", t.elapsed());
    match c {
        Ok(c) => {
            println!("{}", c.ceph(&["-s"]).unwrap());
            if std::env::args().nth(2).is_some() {
                std::thread::park()
            }
        }
        Err(e) => println!("{e}"),
    }
}
