//! Images as tokio's readers and writers.

use std::io::{ErrorKind, SeekFrom};
use std::sync::Arc;

use rbd::{AsyncCursor, Image};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::common::*;
use crate::rbd_common::*;

#[test]
fn a_cursor_copies_and_seeks_in_tokio() {
    let pool = Pool::new();
    let from = Arc::new(image(&pool, "from", 12 * MIB));
    let to = Arc::new(image(&pool, "to", 12 * MIB));
    let data = pattern(2, 12 * MIB as usize);
    from.write_all_at(&data, 0).unwrap();
    let copy = |from: Arc<Image>, to: Arc<Image>| async move {
        let mut from = AsyncCursor::new(from).read_ahead(8, 1 << 20);
        let mut to = AsyncCursor::new(to);
        assert_eq!(tokio::io::copy(&mut from, &mut to).await.unwrap(), 12 * MIB);
        to.flush().await.unwrap();
        assert_eq!(to.seek(SeekFrom::Start(5)).await.unwrap(), 5);
        assert_eq!(to.seek(SeekFrom::Current(-1)).await.unwrap(), 4);
        assert_eq!(to.read_u8().await.unwrap(), pattern(2, 5)[4]);
        let error = to.seek(SeekFrom::Current(-6)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        to.shutdown().await.unwrap();
    };
    let threads = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let task = threads.spawn(copy(Arc::clone(&from), Arc::clone(&to)));
    threads.block_on(task).unwrap();
    assert!(content(&to) == data);
    to.discard(0, 12 * MIB).unwrap();
    let thread = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    thread.block_on(copy(from, Arc::clone(&to)));
    assert!(content(&to) == data);
}
