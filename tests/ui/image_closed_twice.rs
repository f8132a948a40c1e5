fn misuse(image: rbd::Image) -> rbd::Result<()> {
    image.close()?;
    image.close()
}

fn main() {}
