use std::process;

use super::*;

/// A folder of one test, which is gone when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("minichat-store-{name}-{}", process::id()));
        fs::remove_dir_all(&path).ok(); // Of a run that was killed.
        Folder(path)
    }

    /// The only segment.
    fn segment(&self) -> PathBuf {
        let segments = segments(&self.0).unwrap();
        assert_eq!(segments.len(), 1);
        segments[0].1.clone()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok(); // It may never have been made.
    }
}

/// Messages with these numbers, each said a second after the one before.
fn messages(numbers: std::ops::Range<u64>) -> Vec<u8> {
    let line = |n: u64| format!("{n} {} FROM ana [all]: olá {n}\n", n * 1000);
    numbers.map(line).collect::<String>().into_bytes()
}

fn numbers(tail: &[u8]) -> Vec<u64> {
    let lines = tail.split(|&byte| byte == b'\n');
    lines.filter_map(Record::parse).map(|record| record.number).collect()
}

#[test]
fn store_goes_on_where_it_stopped() {
    let folder = Folder::new("again");
    let (mut store, contents) = Store::open(&folder.0, 30, 0).unwrap();
    assert_eq!((contents.next, contents.first, &*contents.tail), (1, None, &b""[..]));
    let term = store.term().to_string();
    store.append(&messages(1..4), 0).unwrap();
    store.sync().unwrap();
    assert!(matches!(Store::open(&folder.0, 30, 0), Err(OpenError::InUse)));
    drop(store);
    let (mut store, contents) = Store::open(&folder.0, 30, 0).unwrap();
    assert_eq!((contents.next, contents.first, store.term()), (4, Some(1), &*term));
    assert_eq!(contents.tail, messages(1..4));
    store.append(&messages(4..6), 0).unwrap();
    assert_eq!(fs::read(folder.segment()).unwrap(), messages(1..6));
}

#[test]
#[cfg(unix)]
fn only_the_owner_can_read_a_store() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("modes");
    let (mut store, _) = Store::open(&folder.0, 30, 0).unwrap();
    store.append(&messages(1..2), 0).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.0), 0o700);
    for file in fs::read_dir(&folder.0).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[test]
fn store_that_is_cut_anywhere_opens_with_all_whole_lines() {
    let folder = Folder::new("cut");
    let whole = messages(7..12);
    drop(Store::open(&folder.0, 30, 0).unwrap());
    let path = folder.0.join(format!("{:020}.chat", 7));
    for length in 0..=whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let (mut store, contents) = Store::open(&folder.0, 0, 0).unwrap();
        let lines = whole[..length].iter().filter(|&&byte| byte == b'\n').count() as u64;
        assert_eq!(contents.tail, messages(7..7 + lines), "cut at {length}");
        assert_eq!((contents.next, contents.left_out.len()), (7 + lines, 0));
        store.append(&messages(7 + lines..9 + lines), 0).unwrap();
        assert_eq!(fs::read(&path).unwrap(), messages(7..9 + lines));
    }
}

#[test]
fn changed_byte_costs_its_line_alone() {
    let folder = Folder::new("changed");
    let whole = messages(7..12);
    drop(Store::open(&folder.0, 30, 0).unwrap());
    let path = folder.0.join(format!("{:020}.chat", 7));
    for at in 0..whole.len() {
        for byte in [b'\n', b' ', b'0', b'9', b'x', 0xFF] {
            let mut changed = whole.clone();
            changed[at] = byte;
            fs::write(&path, &changed).unwrap();
            let (_, contents) = Store::open(&folder.0, 0, 0).unwrap();
            let kept = numbers(&contents.tail);
            let lines: Vec<&[u8]> = whole.split_inclusive(|&byte| byte == b'\n').collect();
            let mut start = 0;
            for (line, number) in lines.into_iter().zip(7..12) {
                let touched = (start..start + line.len()).contains(&at) || at + 1 == start; // The line feed before it.
                assert!(touched || kept.contains(&number), "{at} {byte} {kept:?}");
                start += line.len();
            }
            assert!(kept.is_sorted_by(|one, next| one < next), "{at} {byte} {kept:?}");
        }
    }
}

#[test]
fn lines_that_are_none_are_counted() {
    let folder = Folder::new("bad");
    drop(Store::open(&folder.0, 30, 0).unwrap());
    let path = folder.0.join(format!("{:020}.chat", 1));
    let bad = b"note\n\n5 x FROM ana [all]: no\n";
    fs::write(&path, [&messages(1..4)[..], bad, &messages(4..6)].concat()).unwrap();
    let (_, contents) = Store::open(&folder.0, 0, 0).unwrap();
    assert_eq!(contents.tail, messages(1..6));
    assert_eq!(contents.left_out, [(path, 2)]);
}

#[test]
fn file_of_another_format_is_left_as_it_is() {
    let folder = Folder::new("format");
    drop(Store::open(&folder.0, 30, 0).unwrap());
    let path = folder.0.join(format!("{:020}.chat", 1));
    let newer = [&b"minichat-history v2\n"[..], &messages(1..3)].concat();
    fs::write(&path, &newer).unwrap();
    match Store::open(&folder.0, 30, 0) {
        Err(OpenError::Unknown(file)) => assert_eq!(file, path),
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read(&path).unwrap(), newer);
}

#[test]
fn old_and_surplus_segments_are_deleted() {
    let folder = Folder::new("old");
    let (mut store, _) = Store::open(&folder.0, 1, 0).unwrap();
    // Three segments: the first two end at 1,000 s and 2,000 s.
    store.append(&messages(1..1001), 0).unwrap();
    store.segment.as_mut().unwrap().length = SEGMENT;
    assert!(store.append(&messages(1001..2001), 0).unwrap());
    store.segment.as_mut().unwrap().length = SEGMENT;
    store.append(&messages(2001..2002), 0).unwrap();
    let first = |store: &Store| store.first();
    assert_eq!(first(&store), Some(1));
    drop(store);
    let open = |keep, now| Store::open(&folder.0, keep, now).unwrap().1.first;
    assert_eq!(open(1, DAY), Some(1));
    assert_eq!(open(0, 100 * DAY), Some(1));
    assert_eq!(open(1, DAY + 1_000_001), Some(1001));
    assert_eq!(open(1, 100 * DAY), Some(2001), "the last one stays");

    let (mut store, contents) = Store::open(&folder.0, 0, 0).unwrap();
    let long = |n: u64| format!("{n} 0 FROM ana [all]: {}\n", "x".repeat(4000)).into_bytes();
    let (mut next, mut written) = (contents.next, 0);
    while written < MAX_STORE + 2 * SEGMENT {
        let lines: Vec<u8> = (next..next + 250).flat_map(long).collect();
        store.append(&lines, 0).unwrap();
        (next, written) = (next + 250, written + lines.len() as u64);
    }
    let all: u64 = segments(&folder.0)
        .unwrap()
        .iter()
        .map(|(_, path)| fs::metadata(path).unwrap().len())
        .sum();
    assert!(all <= MAX_STORE + SEGMENT + (2 << 20) && all > MAX_STORE / 2, "{all}");
}

#[test]
fn folder_that_vanishes_is_made_again() {
    let folder = Folder::new("vanished");
    let (mut store, _) = Store::open(&folder.0, 0, 0).unwrap();
    store.append(&messages(1..3), 0).unwrap();
    if fs::remove_dir_all(&folder.0).is_err() {
        return; // Windows keeps a file that is open.
    }
    assert!(store.sync().is_err());
    store.append(&messages(3..5), 0).unwrap();
    store.sync().unwrap();
    let term = store.term().to_string();
    drop(store);
    let (store, contents) = Store::open(&folder.0, 0, 0).unwrap();
    assert_eq!((numbers(&contents.tail), store.term()), (vec![3, 4], &*term));
}

#[test]
fn store_is_read_from_its_end() {
    let folder = Folder::new("backwards");
    let (mut store, _) = Store::open(&folder.0, 0, 0).unwrap();
    store.append(&messages(1..20_001), 0).unwrap();
    store.segment.as_mut().unwrap().length = SEGMENT;
    store.append(&messages(20_001..20_011), 0).unwrap();
    for before in [u64::MAX, 20_001, 20_000] {
        let mut read = Vec::new();
        read_backwards(&folder.0, before, |line| {
            read.extend(Record::parse(line).map(|record| record.number));
            true
        })
        .unwrap();
        let last = if before > 20_001 { 20_010 } else { 20_000 };
        assert!(read.iter().copied().eq((1..=last).rev()), "before {before}");
    }
    let mut read = 0;
    read_backwards(&folder.0, u64::MAX, |_| {
        read += 1;
        read < 15
    })
    .unwrap();
    assert_eq!(read, 15);
}

/// Any appends, restarts and torn ends, next to a list of all that was written.
#[test]
fn store_holds_what_a_list_holds() {
    let folder = Folder::new("model");
    let mut dice = fastrand::Rng::with_seed(19);
    let mut list: Vec<u64> = Vec::new();
    let (mut store, mut next) = (None, 1);
    for _ in 0..300 {
        let open = store.get_or_insert_with(|| {
            let (store, contents) = Store::open(&folder.0, 0, 0).unwrap();
            assert_eq!((numbers(&contents.tail), contents.next), (list.clone(), next));
            store
        });
        match dice.u32(..10) {
            0 => store = None,
            1 => {
                // A write that was cut off.
                store = None;
                if let Some((_, path)) = segments(&folder.0).unwrap().last() {
                    let torn = &messages(next..next + 1)[..dice.usize(1..10)];
                    let mut file = OpenOptions::new().append(true).open(path).unwrap();
                    file.write_all(torn).unwrap();
                }
            }
            2 if open.segment.is_some() => open.segment.as_mut().unwrap().length = SEGMENT,
            _ => {
                let count = dice.u64(1..20);
                open.append(&messages(next..next + count), 0).unwrap();
                list.extend(next..next + count);
                next += count;
            }
        }
    }
}
