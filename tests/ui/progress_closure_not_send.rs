use std::ops::ControlFlow;
use std::rc::Rc;

fn misuse(pool: &rados::IoCtx) -> rbd::Result<()> {
    let count = Rc::new(0);
    rbd::remove_with_progress(pool, "image", |_, _| {
        let _ = &count;
        ControlFlow::Continue(())
    })
}

fn main() {}
