fn misuse(image: &rbd::Image) -> rbd::Image {
    image.clone()
}

fn main() {}
