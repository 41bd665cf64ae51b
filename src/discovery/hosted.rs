//! The marks of a room that lives on the machines of its members.

/// Tells that a server is hosted by a member of its room, and which room that is.
///
/// Another member's machine goes on with the room when the host leaves. The room and its
/// birth stay the same then, and the epoch is one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hosted {
    /// Names the room, also after its host has changed.
    pub room: u32,
    /// How many machines have hosted it, the present one included.
    pub epoch: u32,
    /// When it was opened, in seconds since 1970.
    pub born: u64,
}

impl Hosted {
    /// A room that is opened now, in seconds since 1970.
    pub fn new(born: u64) -> Hosted {
        Hosted { room: fastrand::u32(..), epoch: 1, born }
    }

    /// The name of the room: 8 hexadecimal digits.
    pub fn name(&self) -> String {
        format!("{:08x}", self.room)
    }

    /// The keys and values of the record.
    pub(super) fn txt(&self) -> [(&'static str, String); 3] {
        [("room", self.name()), ("ep", self.epoch.to_string()), ("born", self.born.to_string())]
    }

    /// Reads the values of the record. All must be there and make sense.
    pub(super) fn parse(room: &str, epoch: &str, born: &str) -> Option<Hosted> {
        let is_name = room.len() == 8 && room.bytes().all(|byte| byte.is_ascii_hexdigit());
        let room = u32::from_str_radix(room, 16).ok().filter(|_| is_name)?;
        let number = |text: &str| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u64>().ok().filter(|_| digits)
        };
        let epoch = u32::try_from(number(epoch)?).ok().filter(|&epoch| epoch > 0)?;
        let born = number(born)?;
        Some(Hosted { room, epoch, born })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_as_they_are_written() {
        for hosted in [
            Hosted { room: 0, epoch: 1, born: 0 },
            Hosted { room: u32::MAX, epoch: u32::MAX, born: 1_764_340_012 },
        ] {
            let [(_, room), (_, epoch), (_, born)] = hosted.txt();
            assert_eq!(Hosted::parse(&room, &epoch, &born), Some(hosted));
        }
    }

    #[test]
    fn marks_that_make_no_sense_mark_nothing() {
        for (room, epoch, born) in [
            ("", "1", "1"),
            ("7f3a9c2", "1", "1"),
            ("+f3a9c21", "1", "1"),
            ("7f3a9c21", "", "1"),
            ("7f3a9c21", "0", "1"),
            ("7f3a9c21", "4294967296", "1"),
            ("7f3a9c21", "1", "-1"),
            ("7f3a9c21", "1", "+1"),
            ("7f3a9c21", "1", "99999999999999999999"),
        ] {
            assert_eq!(Hosted::parse(room, epoch, born), None, "{room} {epoch} {born}");
        }
    }
}
