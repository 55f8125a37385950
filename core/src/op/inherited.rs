//! Whether a container has its labels from its image, and not of its own: then it is not ours, whatever they say.
//!
//! An image that was made of a container of ours carries our labels, and hands them on to whatever is made of it. What we
//! make ourselves has an instance that no image has.

use std::time::Instant;

use super::call::Call;
use super::{Step, ready};
use crate::engine_api::{Target, container, image, json};
use crate::error::Error;
use crate::link::Link;

/// Asks what an image hands on to its containers.
#[derive(Debug)]
pub(crate) struct Inherited(Call);

/// What an image hands on to its containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Handed {
    /// This instance, if any.
    Instance(Option<String>),
    /// The image is not there any more, or the engine does not say.
    Unknown,
}

impl Handed {
    /// Whether a container of this instance has it from its image, if that is known.
    pub(crate) fn made(&self, instance: &str) -> Option<bool> {
        match self {
            Self::Instance(handed) => Some(handed.as_deref() == Some(instance)),
            Self::Unknown => None,
        }
    }
}

impl Inherited {
    /// `image`: the id of the container's image.
    pub(crate) fn new(target: &Target, image: &str) -> Result<Self, Error> {
        Ok(Self(Call::new("inspect image", target, &image::inspect(image)?)))
    }

    pub(crate) fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<Handed>, Error> {
        let answer = ready!(self.0.poll(now, link));
        if answer.status() != 200 {
            return Ok(Step::Done(Handed::Unknown));
        }
        let image: image::Inspected = json("inspect image", &answer.body)?;
        let mut labels = image.config.and_then(|config| config.labels).unwrap_or_default();
        Ok(Step::Done(Handed::Instance(labels.remove(container::INSTANCE))))
    }
}
