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

/// Asks whether a container has its labels from its image.
#[derive(Debug)]
pub(crate) struct Inherited {
    call: Call,
    instance: String,
}

impl Inherited {
    /// `image`: the id of the container's image. `instance`: the container's own, by its label.
    pub(crate) fn new(target: &Target, image: &str, instance: &str) -> Result<Self, Error> {
        Ok(Self {
            call: Call::new("inspect image", target, &image::inspect(image)?),
            instance: instance.to_owned(),
        })
    }

    /// `true` also where that cannot be known: then it is left alone.
    pub(crate) fn poll(&mut self, now: Instant, link: &mut Link) -> Result<Step<bool>, Error> {
        let answer = ready!(self.call.poll(now, link));
        if answer.status() != 200 {
            return Ok(Step::Done(true));
        }
        let image: image::Inspected = json("inspect image", &answer.body)?;
        let labels = image.config.and_then(|config| config.labels).unwrap_or_default();
        Ok(Step::Done(labels.get(container::INSTANCE) == Some(&self.instance)))
    }
}
