fn misuse(image: rbd::Image) -> rbd::Result<()> {
    image.close()?;
    image.flush()
}

fn main() {}
