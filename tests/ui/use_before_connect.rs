use rados::Conn;

fn main() {
    let builder = Conn::builder().default_config_file();
    let _ = builder.ioctx("rbd");
}
