fn misuse(view: rados::SnapView) -> rados::Result<()> {
    view.write_full("object", b"data")
}

fn main() {}
