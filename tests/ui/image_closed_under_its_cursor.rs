use std::io::Read;

fn misuse(image: rbd::Image) -> std::io::Result<usize> {
    let mut cursor = image.cursor();
    image.close()?;
    cursor.read(&mut [0; 1])
}

fn main() {}
