//! Sizes: what is asked for, what is made for that, and by which steps.

use selvedge_durable_objects::{
    matrix_error::MatrixError,
    media_object::{self, CROPPED, MAX_SIDE, SCALED},
};

/// How an image is brought into a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Filling it: what is over is cut off.
    Crop,
    /// Fitting into it, with the image's own proportions.
    Scale,
}

/// A thumbnail that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Pixels; at least 1.
    pub width: u32,
    /// Pixels; at least 1.
    pub height: u32,
    /// How.
    pub method: Method,
    /// Whether it may move.
    pub animated: bool,
}

/// The steps from an image to its thumbnail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The whole image is scaled to this size.
    pub scaled: (u32, u32),
    /// From this corner of that
    pub corner: (u32, u32),
    /// so much is taken.
    pub cropped: (u32, u32),
}

impl Wanted {
    /// Reads the arguments of a request through `argument`. `M_MISSING_PARAM`, `M_INVALID_PARAM`.
    pub fn parse(argument: impl Fn(&str) -> Option<String>) -> Result<Self, MatrixError> {
        let side = |name: &str| {
            let text =
                argument(name).ok_or_else(|| MatrixError::missing_param(format!("{name} is missing")))?;
            let side = text.parse::<u32>().ok().filter(|side| *side > 0);
            let invalid = || MatrixError::invalid_param(format!("{name} is not a number of pixels"));
            side.map(|side| side.min(MAX_SIDE)).ok_or_else(invalid)
        };
        let method = match argument("method").as_deref() {
            None | Some("scale") => Method::Scale,
            Some("crop") => Method::Crop,
            Some(_) => return Err(MatrixError::invalid_param("method is crop or scale")),
        };
        let animated = argument("animated").as_deref() == Some("true");
        Ok(Self { width: side("width")?, height: side("height")?, method, animated })
    }

    /// The thumbnail that is made for this request: one of few, so that they can be kept, and found again.
    #[must_use]
    pub fn rounded(self) -> Self {
        let (width, height) = match self.method {
            Method::Scale => {
                let fits = |(width, height): &(u32, u32)| *width >= self.width && *height >= self.height;
                SCALED.into_iter().find(fits).unwrap_or((MAX_SIDE, MAX_SIDE))
            }
            Method::Crop => {
                let fit = |wanted: u32| CROPPED.into_iter().find(|side| *side >= wanted).unwrap_or(MAX_SIDE);
                (fit(self.width), fit(self.height))
            }
        };
        Self { width, height, ..self }
    }

    /// The name of the thumbnail among those of its content.
    pub fn name(self) -> String {
        match self.method {
            Method::Crop => media_object::cropped((self.width, self.height)),
            Method::Scale => media_object::scaled((self.width, self.height)),
        }
    }

    /// The same for an image that lies on its side, if it does.
    #[must_use]
    pub fn turned(self, turned: bool) -> Self {
        if turned { Self { width: self.height, height: self.width, ..self } } else { self }
    }

    /// How to make it of an image of this size; `None` when the image is no larger.
    pub fn plan(self, width: u32, height: u32) -> Option<Plan> {
        if width <= self.width && height <= self.height {
            return None;
        }
        let by_width = (self.width, part(height, self.width, width));
        let by_height = (part(width, self.height, height), self.height);
        let wider = u64::from(width).saturating_mul(u64::from(self.height))
            > u64::from(height).saturating_mul(u64::from(self.width));
        let scaled = match (self.method, wider) {
            (Method::Scale, true) | (Method::Crop, false) => by_width,
            (Method::Scale, false) | (Method::Crop, true) => by_height,
        };
        // Nothing is made larger.
        let scaled = if scaled.0 > width || scaled.1 > height { (width, height) } else { scaled };
        let cropped = (scaled.0.min(self.width), scaled.1.min(self.height));
        let middle = |all: u32, taken: u32| all.saturating_sub(taken) / 2;
        let corner = (middle(scaled.0, cropped.0), middle(scaled.1, cropped.1));
        Some(Plan { scaled, corner, cropped })
    }
}

/// `side * of / whole`, at least 1.
fn part(side: u32, of: u32, whole: u32) -> u32 {
    let part = u64::from(side).saturating_mul(u64::from(of)).checked_div(u64::from(whole)).unwrap_or(1);
    u32::try_from(part).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::{Method, Plan, Wanted};

    fn wanted(width: u32, height: u32, method: Method) -> Wanted {
        Wanted { width, height, method, animated: false }
    }

    #[test]
    fn scaling_keeps_proportions_within_the_box() {
        let plan =
            |width, height| wanted(320, 240, Method::Scale).plan(width, height).map(|plan| plan.cropped);
        assert_eq!(plan(640, 480), Some((320, 240)));
        assert_eq!(plan(1000, 100), Some((320, 32)));
        assert_eq!(plan(100, 1000), Some((24, 240)));
        assert_eq!(plan(100_000, 1), Some((320, 1)));
        assert_eq!(plan(320, 240), None);
    }

    #[test]
    fn cropping_takes_the_middle_and_fills_the_box() {
        let crop = wanted(96, 96, Method::Crop);
        let expected = Plan { scaled: (192, 96), corner: (48, 0), cropped: (96, 96) };
        assert_eq!(crop.plan(400, 200), Some(expected));
        assert_eq!(crop.plan(50, 50), None);
    }

    #[test]
    fn nothing_is_made_larger() {
        let plan = wanted(96, 96, Method::Crop).plan(400, 50);
        assert_eq!(plan, Some(Plan { scaled: (400, 50), corner: (152, 0), cropped: (96, 50) }));
    }

    #[test]
    fn a_request_gets_one_of_few_sizes_that_is_no_smaller() {
        let rounded = |width, height, method| wanted(width, height, method).rounded().name();
        assert_eq!(rounded(1, 1, Method::Scale), "320x240-scale");
        assert_eq!(rounded(320, 241, Method::Scale), "640x480-scale");
        assert_eq!(rounded(36, 36, Method::Crop), "96x96-crop");
        assert_eq!(rounded(32, 32, Method::Crop), "32x32-crop");
        assert_eq!(rounded(300, 100, Method::Crop), "384x192-crop");
    }

    #[test]
    fn a_request_without_a_size_is_refused() {
        let parse = |width: &'static str| Wanted::parse(|name| (name != "method").then(|| width.to_owned()));
        assert!(parse("64").is_ok());
        for bad in ["", "0", "-1", "1.5", "x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(Wanted::parse(|_| None).is_err());
    }
}
