//! A decoded image, in whatever form its decoder gives. To those who look at it, each pixel has 8 bits of red, green,
//! blue and alpha: so the code for scaling exists once, and no second copy of a large image.

use image::{ColorType, GenericImageView, ImageDecoder, Rgba};

/// The samples of an image.
pub struct Decoded {
    size: (u32, u32),
    color: ColorType,
    samples: Vec<u8>,
}

impl Decoded {
    /// Decodes. `None` for a broken image.
    pub fn read(decoder: impl ImageDecoder) -> Option<Self> {
        let (size, color) = (decoder.dimensions(), decoder.color_type());
        let mut samples = vec![0; usize::try_from(decoder.total_bytes()).ok()?];
        decoder.read_image(&mut samples).ok()?;
        Some(Self { size, color, samples })
    }

    /// Whether it can be seen through.
    pub fn has_alpha(&self) -> bool {
        self.color.has_alpha()
    }

    /// The samples of a pixel.
    fn at(&self, x: u32, y: u32) -> Option<&[u8]> {
        let (x, y, width) =
            (usize::try_from(x).ok()?, usize::try_from(y).ok()?, usize::try_from(self.size.0).ok()?);
        let length = usize::from(self.color.bytes_per_pixel());
        let begin = y.checked_mul(width)?.checked_add(x)?.checked_mul(length)?;
        self.samples.get(begin..begin.checked_add(length)?)
    }
}

impl GenericImageView for Decoded {
    type Pixel = Rgba<u8>;

    fn dimensions(&self) -> (u32, u32) {
        self.size
    }

    fn get_pixel(&self, x: u32, y: u32) -> Rgba<u8> {
        let bytes = self.at(x, y).unwrap_or_default();
        // By far the most images.
        if let [red, green, blue] = *bytes {
            return Rgba([red, green, blue, u8::MAX]);
        }
        let channels = self.color.channel_count();
        let depth = self.color.bytes_per_pixel().checked_div(channels).unwrap_or(1);
        let mut samples = [0; 4];
        for (sample, bytes) in samples.iter_mut().zip(bytes.chunks_exact(depth.max(1).into())) {
            *sample = match *bytes {
                [byte] => byte,
                [first, second] => high(u16::from_ne_bytes([first, second])),
                _ => 0,
            };
        }
        let [first, second, ..] = samples;
        match channels {
            1 => samples = [first, first, first, u8::MAX],
            2 => samples = [first, first, first, second],
            3 => samples = [first, second, samples[2], u8::MAX],
            _ => {}
        }
        Rgba(samples)
    }
}

/// The upper 8 bits of 16.
fn high(sample: u16) -> u8 {
    u8::try_from(sample >> 8).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::Cursor;

    use image::{DynamicImage, GenericImageView, ImageFormat, ImageReader, Rgba, Rgba32FImage};

    use super::Decoded;

    #[test]
    fn every_form_of_pixels_is_seen_in_the_same_colours() {
        let original = Rgba32FImage::from_pixel(2, 2, Rgba([1.0, 0.5, 0.25, 0.75]));
        let original = DynamicImage::ImageRgba32F(original);
        let colours = [255, 128, 64, 191];
        let gray = original.to_luma8().get_pixel(0, 0).0[0];
        for (image, expected) in [
            (DynamicImage::ImageRgba8(original.to_rgba8()), colours),
            (DynamicImage::ImageRgba16(original.to_rgba16()), colours),
            (DynamicImage::ImageRgb8(original.to_rgb8()), [255, 128, 64, 255]),
            (DynamicImage::ImageRgb16(original.to_rgb16()), [255, 128, 64, 255]),
            (DynamicImage::ImageLuma8(original.to_luma8()), [gray, gray, gray, 255]),
            (DynamicImage::ImageLuma16(original.to_luma16()), [gray, gray, gray, 255]),
            (DynamicImage::ImageLumaA8(original.to_luma_alpha8()), [gray, gray, gray, 191]),
            (DynamicImage::ImageLumaA16(original.to_luma_alpha16()), [gray, gray, gray, 191]),
        ] {
            let mut file = Cursor::new(Vec::new());
            image.write_to(&mut file, ImageFormat::Png).unwrap();
            file.set_position(0);
            let decoder = ImageReader::with_format(file, ImageFormat::Png).into_decoder().unwrap();
            let decoded = Decoded::read(decoder).unwrap();
            let seen = decoded.get_pixel(1, 1).0;
            let near = seen.iter().zip(expected).all(|(one, other)| one.abs_diff(other) <= 2);
            assert!(near, "{:?}: {seen:?}", image.color());
        }
    }
}
