//! The format, without a cluster.

use super::*;
use crate::{DiffExtent, ErrorKind};

/// Random numbers that are the same for a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// A diff, as an image sees it.
#[derive(Debug, Clone, PartialEq)]
struct Diff {
    header: DiffHeader,
    /// Each with its data, if it has any.
    extents: Vec<(u64, u64, Option<Vec<u8>>)>,
}

impl Diff {
    fn random(random: &mut Random, from: Option<&str>, to: Option<&str>) -> Self {
        let mut header = DiffHeader::new(random.below(2000));
        header.from_snap = from.map(str::to_owned);
        header.to_snap = to.map(str::to_owned);
        let mut extents = Vec::new();
        let mut offset = random.below(100);
        while offset < header.size {
            let len = (1 + random.below(200)).min(header.size - offset);
            let byte = 1 + random.below(255) as u8;
            let data = (random.below(3) > 0).then(|| vec![byte; len as usize]);
            extents.push((offset, len, data));
            offset += len + random.below(3) * random.below(200);
        }
        Self { header, extents }
    }

    fn write(&self, format: DiffFormat) -> Vec<u8> {
        let mut writer = DiffWriter::new(Vec::new(), format, &self.header).unwrap();
        for (offset, len, data) in &self.extents {
            match data {
                Some(data) => writer.data(*offset, data).unwrap(),
                None => writer.zeros(*offset, *len).unwrap(),
            }
        }
        let position = writer.position();
        let file = writer.finish().unwrap();
        assert_eq!(file.len() as u64, position + 1);
        file
    }

    fn read(file: &[u8]) -> Result<Self> {
        let mut reader = DiffReader::new(file)?;
        let mut extents = Vec::new();
        while let Some(DiffExtent {
            offset,
            len,
            exists,
        }) = reader.next_extent()?
        {
            let mut data = Vec::new();
            let mut part = reader.read_data(usize::MAX)?;
            while !part.is_empty() {
                data.append(&mut part);
                part = reader.read_data(1000)?;
            }
            extents.push((offset, len, exists.then_some(data)));
        }
        assert_eq!(reader.next_extent()?, None);
        Ok(Self {
            header: reader.header().clone(),
            extents,
        })
    }

    fn apply(&self, image: &mut Vec<u8>) {
        image.resize(self.header.size as usize, 0);
        for (offset, len, data) in &self.extents {
            let part = &mut image[*offset as usize..(offset + len) as usize];
            match data {
                Some(data) => part.copy_from_slice(data),
                None => part.fill(0),
            }
        }
    }
}

#[test]
fn what_is_written_is_read() {
    for seed in 1..300 {
        let mut random = Random(seed);
        let from = (seed % 2 == 0).then_some("from \u{2603}");
        let to = (seed % 3 == 0).then_some("to");
        let mut diff = Diff::random(&mut random, from, to);
        assert_eq!(Diff::read(&diff.write(DiffFormat::V1)).unwrap(), diff);
        diff.header.protected = to.is_some() && seed % 5 == 0;
        assert_eq!(Diff::read(&diff.write(DiffFormat::V2)).unwrap(), diff);
    }
}

#[test]
fn a_file_of_known_bytes() {
    let header = DiffHeader::new(0x0102).from_snap("a").to_snap("bc");
    let diff = Diff {
        header,
        extents: vec![(5, 2, Some(vec![8, 9])), (0x100, 1, None)],
    };
    let mut file = b"rbd diff v1\nf\x01\0\0\0at\x02\0\0\0bcs\x02\x01\0\0\0\0\0\0".to_vec();
    file.extend(b"w\x05\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x08\x09");
    file.extend(b"z\0\x01\0\0\0\0\0\0\x01\0\0\0\0\0\0\0e");
    assert_eq!(diff.write(DiffFormat::V1), file);
    assert_eq!(Diff::read(&file).unwrap(), diff);
}

#[track_caller]
fn problem(file: &[u8]) -> DiffFileError {
    let error = Diff::read(file).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    let cause = *error.cause::<DiffFileError>().unwrap();
    assert!(error.to_string().contains(&cause.to_string()), "{error}");
    cause
}

#[test]
fn a_file_that_is_cut_off_is_noticed_at_every_byte() {
    for format in [DiffFormat::V1, DiffFormat::V2] {
        let file = Diff::random(&mut Random(77), Some("a"), Some("b")).write(format);
        for len in 0..file.len() {
            let found = problem(&file[..len]);
            assert_eq!(
                (found.offset, found.problem),
                (len as u64, DiffProblem::Truncated)
            );
        }
    }
}

#[test]
fn damage_is_an_error_or_another_diff() {
    for seed in 1..3000 {
        let mut random = Random(seed);
        let format = [DiffFormat::V1, DiffFormat::V2][random.below(2) as usize];
        let mut file = Diff::random(&mut random, Some("a"), Some("b")).write(format);
        for _ in 0..=random.below(4) {
            let at = random.below(file.len() as u64) as usize;
            file[at] = random.below(256) as u8;
        }
        if let Err(error) = Diff::read(&file) {
            let found = error.cause::<DiffFileError>().unwrap();
            assert!(found.offset <= file.len() as u64, "{error}");
        }
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let file = |records: &[&[u8]]| [b"rbd diff v1\n", &records.concat()[..]].concat();
    let number = |number: u64| number.to_le_bytes();
    let size = [&b"s"[..], &number(100)].concat();
    let extent = |tag: &[u8], offset, len| [tag, &number(offset), &number(len)].concat();
    let cases = [
        (b"rbd diff v3\n".to_vec(), 0, DiffProblem::Banner),
        (file(&[b"e"]), 12, DiffProblem::NoSize),
        (file(&[&size, &size]), 21, DiffProblem::Record(b's')),
        (file(&[&size, b"x"]), 21, DiffProblem::Record(b'x')),
        (file(&[b"f", &[0, 0, 0, 0]]), 12, DiffProblem::Name),
        (file(&[b"t", &[1, 16, 0, 0]]), 12, DiffProblem::Name),
        (file(&[b"t", &[2, 0, 0, 0, b'a', 0]]), 12, DiffProblem::Name),
        (file(&[b"t", &[1, 0, 0, 0, 0xff]]), 12, DiffProblem::Name),
        (
            file(&[&size, &extent(b"z", 0, 100), &size]),
            38,
            DiffProblem::Record(b's'),
        ),
        (
            file(&[&size, &extent(b"z", 99, 2)]),
            21,
            DiffProblem::Extent {
                offset: 99,
                len: 2,
                size: 100,
            },
        ),
        (
            file(&[&size, &extent(b"w", 1, u64::MAX)]),
            21,
            DiffProblem::Extent {
                offset: 1,
                len: u64::MAX,
                size: 100,
            },
        ),
        // A length that would be too much for memory.
        (
            file(&[b"s", &number(u64::MAX), &extent(b"w", 0, u64::MAX)]),
            38,
            DiffProblem::Truncated,
        ),
    ];
    for (file, offset, expected) in cases {
        let found = problem(&file);
        assert_eq!((found.offset, found.problem), (offset, expected));
    }
    let mut reader = DiffReader::new(&b"rbd diff v1\nsaaaaaaaaz"[..]).unwrap();
    assert!(reader.next_extent().is_err());
    let again = reader.next_extent().unwrap_err().to_string();
    assert!(again.contains("an earlier read failed"), "{again}");
}

#[test]
fn the_second_format_skips_what_is_unknown() {
    let unknown = [&b"X"[..], &3_u64.to_le_bytes(), b"abc"].concat();
    let diff = Diff::random(&mut Random(5), None, None);
    let file = diff.write(DiffFormat::V2);
    let (banner, rest) = file.split_at(12);
    let (rest, end) = rest.split_at(rest.len() - 1);
    let file = [banner, &unknown, rest, &unknown, end].concat();
    assert_eq!(Diff::read(&file).unwrap(), diff);
    let mut longer = file;
    longer[12 + 12 + 1] += 1; // the size's record
    let found = problem(&longer);
    assert_eq!((found.offset, found.problem), (24, DiffProblem::Length(9)));
}

#[test]
fn nothing_after_the_last_record_is_read() {
    let diff = Diff::random(&mut Random(9), None, Some("a"));
    let file = [diff.write(DiffFormat::V1), b"more".to_vec()].concat();
    let mut reader = DiffReader::new(&file[..]).unwrap();
    while reader.next_extent().unwrap().is_some() {} // skips the data
    assert_eq!(reader.position(), file.len() as u64 - 4);
    assert_eq!(reader.into_inner(), b"more");
}

#[test]
fn a_writer_refuses_what_a_reader_would() {
    for name in ["", "with\0nul", &"x".repeat(4097)] {
        let header = DiffHeader::new(1).to_snap(name);
        let writer = DiffWriter::new(Vec::new(), DiffFormat::V1, &header);
        assert_eq!(writer.unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    let header = DiffHeader::new(100);
    let mut writer = DiffWriter::new(Vec::new(), DiffFormat::V1, &header).unwrap();
    for (offset, len) in [(0, 0), (0, 101), (100, 1), (u64::MAX, 2)] {
        let kind = writer.zeros(offset, len).unwrap_err().kind();
        assert_eq!(kind, ErrorKind::InvalidArgument);
    }
    let mut full: &mut [u8] = &mut [0; 30];
    let mut writer = DiffWriter::new(&mut full, DiffFormat::V1, &header).unwrap();
    let error = writer.zeros(0, 1).unwrap_err().to_string();
    assert!(error.contains("at byte 21 of the diff"), "{error}");
}

#[test]
fn merged_diffs_do_what_the_two_do() {
    for seed in 1..1000 {
        let mut random = Random(seed);
        let one = Diff::random(&mut random, Some("a"), Some("b"));
        let two = Diff::random(&mut random, Some("b"), Some("c"));
        let formats = [DiffFormat::V1, DiffFormat::V2];
        let [first, second] = [&one, &two].map(|diff| diff.write(formats[seed as usize % 2]));
        let merged = Diff::read(&merge_diff(&first[..], &second[..], Vec::new()).unwrap()).unwrap();
        let ends = DiffHeader::new(two.header.size).from_snap("a").to_snap("c");
        assert_eq!(merged.header, ends);
        let size = random.below(2000);
        let mut image: Vec<u8> = (0..size).map(|_| random.below(256) as u8).collect();
        let mut other = image.clone();
        one.apply(&mut image);
        two.apply(&mut image);
        merged.apply(&mut other);
        assert!(image == other, "{seed}");
    }
}

#[test]
fn what_cannot_be_merged_is_refused() {
    let mut random = Random(3);
    let mut diff = |from, to| Diff::random(&mut random, from, to).write(DiffFormat::V1);
    let (one, two) = (diff(None, Some("a")), diff(Some("b"), None));
    let error = merge_diff(&one[..], &two[..], Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(
        error.to_string().contains(r#"Some("a"), the second"#),
        "{error}"
    );
    let head = diff(None, None);
    assert!(merge_diff(&head[..], &head[..], Vec::new()).is_err());
    let (mut back, rest) = (diff(Some("a"), Some("b")), diff(Some("a"), None));
    back.pop();
    back.extend([b"z", &[0; 8][..], &[1, 0, 0, 0, 0, 0, 0, 0], b"e"].concat());
    let error = merge_diff(&diff(None, Some("a"))[..], &back[..], Vec::new()).unwrap_err();
    let found = error.cause::<DiffFileError>().unwrap();
    assert_eq!(found.problem, DiffProblem::Order);
    assert!(error.to_string().contains("in the second diff"), "{error}");
    assert!(merge_diff(&one[..], &rest[..rest.len() - 1], Vec::new()).is_err());
}
