//! The log that several servers share, opened as the operator wants it.

use crate::config::Engine;
use crate::error::Error;
use crate::texts::Texts;

#[cfg(feature = "engine")]
pub use with::open;
#[cfg(not(feature = "engine"))]
pub use without::open;

#[cfg(feature = "engine")]
mod with {
    use super::{Engine, Error, Texts};
    use crate::config::EnginePlace;
    use crate::error::plain;
    use crate::server::engine::{Address, Link, LinkError, Place};

    /// Opens the log.
    ///
    /// # Errors
    /// If it cannot be used.
    pub fn open(engine: &Engine, texts: &Texts) -> Result<Link, Error> {
        let place = match engine.place.clone() {
            EnginePlace::Tcp(host, port) => Place::Tcp(host, port),
            EnginePlace::Unix(path) => Place::Unix(path),
        };
        let address = Address {
            engine: place,
            user: engine.user.clone(),
            password: engine.password.clone(),
            room: engine.room.clone(),
        };
        let texts = &texts.error;
        Link::open(&address).map_err(|err| {
            let why = match err {
                LinkError::Io(err) => plain(&err, texts),
                LinkError::Login => texts.engine_login.into(),
                LinkError::Denied(why) => (texts.engine_denied)(&why),
                LinkError::TooOld => texts.engine_old.into(),
                LinkError::OtherKind(key) => (texts.engine_key)(&key),
                LinkError::OtherVersion(version) => (texts.engine_version)(version),
                LinkError::Other(why) => why,
            };
            Error::Engine(engine.to_string(), why)
        })
    }
}

#[cfg(not(feature = "engine"))]
mod without {
    use std::convert::Infallible;
    use std::io;
    use std::sync::Arc;
    use std::time::Duration;

    use super::{Engine, Error, Texts};
    use crate::server::Hub;

    /// There is none.
    pub struct Link(Infallible);

    impl Link {
        /// Never called.
        ///
        /// # Errors
        /// None.
        pub fn start(self, _: &Arc<Hub>) -> io::Result<Link> {
            match self.0 {}
        }

        /// Never called.
        pub fn finish(self, _: Duration) {
            match self.0 {}
        }
    }

    /// This program was built without it.
    ///
    /// # Errors
    /// Always.
    pub fn open(engine: &Engine, texts: &Texts) -> Result<Link, Error> {
        Err(Error::Engine(engine.to_string(), texts.error.engine_missing.into()))
    }
}
