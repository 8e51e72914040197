//! Thumbnails `[C-S §11.7.3]`: which size a request gets, and how it is made.
//!
//! An image is decoded whole, so its size is checked before: by its header, in bytes that its pixels take.

mod decoded;
#[cfg(target_arch = "wasm32")]
pub mod serve;
mod size;

use std::io::Cursor;

use image::{
    ExtendedColorType, ImageDecoder, ImageEncoder, ImageFormat, ImageReader, Limits, RgbImage, RgbaImage,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
    imageops,
    metadata::Orientation,
};

use self::decoded::Decoded;
pub use self::size::Wanted;

/// How large a file may be to be made a thumbnail of, in bytes: it is held in memory.
pub const MAX_INPUT: u64 = 16 << 20;
/// How many bytes decoding may take: the isolate has 128 MiB for all that it does. 12 megapixels of a camera fit.
const MAX_DECODED: u64 = 48 << 20;
/// The quality of JPEG thumbnails, of 100.
const JPEG_QUALITY: u8 = 80;

/// A thumbnail.
#[derive(Debug, PartialEq, Eq)]
pub enum Made {
    /// The image as it is: it is no larger than what was asked for.
    Original {
        /// Its true type.
        content_type: &'static str,
    },
    /// A smaller image.
    Smaller {
        /// Its type.
        content_type: &'static str,
        /// The file.
        bytes: Vec<u8>,
    },
}

/// Why there is no thumbnail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is no image of a known kind, or a broken one.
    #[error("this is not an image that thumbnails can be made of")]
    NotAnImage,
    /// It has too many pixels.
    #[error("the image is too large for a thumbnail")]
    TooLarge,
}

fn broken(_: image::ImageError) -> Fault {
    Fault::NotAnImage
}

/// Makes the thumbnail that is wanted of an image file.
pub fn make(file: &[u8], wanted: Wanted) -> Result<Made, Fault> {
    let reader = ImageReader::new(Cursor::new(file)).with_guessed_format().map_err(|_| Fault::NotAnImage)?;
    let format = reader.format().ok_or(Fault::NotAnImage)?;
    let content_type = match format {
        ImageFormat::Png => "image/png",
        ImageFormat::Jpeg => "image/jpeg",
        ImageFormat::Gif => "image/gif",
        ImageFormat::WebP => "image/webp",
        _ => return Err(Fault::NotAnImage),
    };
    let mut decoder = reader.into_decoder().map_err(broken)?;
    // A progressive JPEG is all there as 16-bit coefficients before it is pixels.
    let factor = if format == ImageFormat::Jpeg && is_progressive(file) { 3 } else { 1 };
    if decoder.total_bytes().saturating_mul(factor) > MAX_DECODED {
        return Err(Fault::TooLarge);
    }
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODED);
    decoder.set_limits(limits).map_err(|_| Fault::TooLarge)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(Fault::NotAnImage);
    }
    let turned = is_turned(orientation);
    let Some(plan) = wanted.turned(turned).plan(width, height) else {
        return Ok(Made::Original { content_type });
    };
    let decoded = Decoded::read(decoder).ok_or(Fault::NotAnImage)?;
    let scaled = imageops::thumbnail(&decoded, plan.scaled.0, plan.scaled.1);
    let is_opaque = !decoded.has_alpha();
    drop(decoded);
    let ((x, y), (width, height)) = (plan.corner, plan.cropped);
    let cropped = imageops::crop_imm(&scaled, x, y, width, height).to_image();
    encode(&turn(cropped, orientation), is_opaque, format)
}

/// Width and height in pixels of an image file, as it is to be shown.
pub fn dimensions(file: &[u8]) -> Option<(u32, u32)> {
    let reader = ImageReader::new(Cursor::new(file)).with_guessed_format().ok()?;
    let mut decoder = reader.into_decoder().ok()?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return None;
    }
    let turned = decoder.orientation().is_ok_and(is_turned);
    Some(if turned { (height, width) } else { (width, height) })
}

fn is_turned(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

/// The image as it is to be shown.
fn turn(image: RgbaImage, orientation: Orientation) -> RgbaImage {
    match orientation {
        Orientation::NoTransforms => image,
        Orientation::Rotate90 => imageops::rotate90(&image),
        Orientation::Rotate180 => imageops::rotate180(&image),
        Orientation::Rotate270 => imageops::rotate270(&image),
        Orientation::FlipHorizontal => imageops::flip_horizontal(&image),
        Orientation::FlipVertical => imageops::flip_vertical(&image),
        Orientation::Rotate90FlipH => imageops::flip_horizontal(&imageops::rotate90(&image)),
        Orientation::Rotate270FlipH => imageops::flip_horizontal(&imageops::rotate270(&image)),
    }
}

fn encode(image: &RgbaImage, is_opaque: bool, format: ImageFormat) -> Result<Made, Fault> {
    let mut bytes = Vec::new();
    let (width, height) = image.dimensions();
    if !is_opaque {
        let encoder = PngEncoder::new(&mut bytes);
        encoder.write_image(image, width, height, ExtendedColorType::Rgba8).map_err(broken)?;
        return Ok(Made::Smaller { content_type: "image/png", bytes });
    }
    let opaque = image.pixels().flat_map(|pixel| {
        let [red, green, blue, _] = pixel.0;
        [red, green, blue]
    });
    let opaque = RgbImage::from_raw(width, height, opaque.collect()).ok_or(Fault::NotAnImage)?;
    if matches!(format, ImageFormat::Png | ImageFormat::Gif) {
        let encoder = PngEncoder::new(&mut bytes);
        encoder.write_image(&opaque, width, height, ExtendedColorType::Rgb8).map_err(broken)?;
        return Ok(Made::Smaller { content_type: "image/png", bytes });
    }
    JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY).encode_image(&opaque).map_err(broken)?;
    Ok(Made::Smaller { content_type: "image/jpeg", bytes })
}

/// Whether a JPEG file's frame header says that it is progressive.
fn is_progressive(file: &[u8]) -> bool {
    let mut at = 2_usize;
    while let Some([0xff, marker, high, low]) = file.get(at..at.saturating_add(4)) {
        match marker {
            0xc2 | 0xc6 | 0xca | 0xce => return true,
            // The scan begins, or another kind of frame.
            0xda | 0xc0 | 0xc1 | 0xc3 => return false,
            // Padding.
            0xff => at = at.saturating_add(1),
            _ => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                at = at.saturating_add(2).saturating_add(length);
            }
        }
    }
    // It may be anything.
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use std::io::Cursor;

    use image::{DynamicImage, ImageFormat, RgbImage, RgbaImage};
    use proptest::{collection::vec, prelude::*, sample::Index};

    use super::{Fault, Made, Wanted, dimensions, make, size::Method};

    fn file(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Vec::new();
        image.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
        bytes
    }

    fn wanted(width: u32, height: u32, method: Method) -> Wanted {
        Wanted { width, height, method, animated: false }
    }

    fn made(file: &[u8], wanted: Wanted) -> (&'static str, (u32, u32)) {
        let Made::Smaller { content_type, bytes } = make(file, wanted).unwrap() else { return ("", (0, 0)) };
        let image = image::load_from_memory(&bytes).unwrap();
        (content_type, (image.width(), image.height()))
    }

    #[test]
    fn each_format_is_made_smaller() {
        let opaque = DynamicImage::ImageRgb8(RgbImage::new(400, 200));
        let clear = DynamicImage::ImageRgba8(RgbaImage::new(400, 200));
        for (image, format, content_type) in [
            (&opaque, ImageFormat::Png, "image/png"),
            (&opaque, ImageFormat::Jpeg, "image/jpeg"),
            (&clear, ImageFormat::Gif, "image/png"),
            (&clear, ImageFormat::WebP, "image/png"),
            (&opaque, ImageFormat::WebP, "image/jpeg"),
        ] {
            let file = file(image, format);
            assert_eq!(made(&file, wanted(320, 240, Method::Scale)), (content_type, (320, 160)));
            assert_eq!(made(&file, wanted(96, 96, Method::Crop)), (content_type, (96, 96)));
        }
    }

    #[test]
    fn a_small_image_stays_as_it_is() {
        let small = file(&DynamicImage::ImageRgb8(RgbImage::new(30, 20)), ImageFormat::Png);
        let expected = Made::Original { content_type: "image/png" };
        assert_eq!(make(&small, wanted(32, 32, Method::Crop)), Ok(expected));
    }

    #[test]
    fn a_bomb_is_refused_by_its_header() {
        let mut bomb = file(&DynamicImage::ImageRgb8(RgbImage::new(100, 100)), ImageFormat::Png);
        // Width and height of the header chunk, and its checksum.
        bomb.splice(16..24, [0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
        assert!(make(&bomb, wanted(32, 32, Method::Crop)).is_err());
        let huge = b"RIFF\x12\0\0\0WEBPVP8L\x05\0\0\0/\xfe\xbf\xff\x0f\0";
        assert_eq!(make(huge, wanted(32, 32, Method::Crop)), Err(Fault::TooLarge));
        // The decoder takes the largest size for none.
        let nothing = b"RIFF\x12\0\0\0WEBPVP8L\x05\0\0\0/\xff\xff\xff\x0f\0";
        assert_eq!(make(nothing, wanted(32, 32, Method::Crop)), Err(Fault::NotAnImage));
        let wide = file(&DynamicImage::ImageRgb8(RgbImage::new(17_000_000, 1)), ImageFormat::Png);
        assert_eq!(make(&wide, wanted(32, 32, Method::Crop)), Err(Fault::TooLarge));
    }

    /// Small images of each kind, which `make fuzz` begins with too.
    const SEEDS: [&[u8]; 7] = [
        include_bytes!("../../fuzz/seeds/thumbnail/0"),
        include_bytes!("../../fuzz/seeds/thumbnail/1"),
        include_bytes!("../../fuzz/seeds/thumbnail/2"),
        include_bytes!("../../fuzz/seeds/thumbnail/3"),
        include_bytes!("../../fuzz/seeds/thumbnail/4"),
        include_bytes!("../../fuzz/seeds/thumbnail/5"),
        include_bytes!("../../fuzz/seeds/thumbnail/6"),
    ];

    proptest! {
        #[test]
        fn a_spoilt_file_is_made_small_or_refused(
            seed in 0..SEEDS.len(),
            changes in vec((any::<Index>(), any::<u8>()), 0..8),
            end in any::<Index>(),
            cut in any::<bool>(),
        ) {
            let mut file = SEEDS[seed].to_vec();
            for (at, byte) in changes {
                let at = at.index(file.len());
                file[at] = byte;
            }
            if cut {
                file.truncate(end.index(file.len()));
            }
            if let Ok(Made::Smaller { bytes, .. }) = make(&file, wanted(32, 32, Method::Crop)) {
                let (width, height) = dimensions(&bytes).unwrap();
                prop_assert!(width <= 32 && height <= 32);
            }
        }
    }

    #[test]
    fn what_is_no_image_or_breaks_off_is_refused() {
        let good = file(&DynamicImage::ImageRgb8(RgbImage::new(400, 200)), ImageFormat::Jpeg);
        let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
        for bad in [&b""[..], b"GIF89a", &svg[..], good.get(..30).unwrap()] {
            assert_eq!(make(bad, wanted(32, 32, Method::Crop)), Err(Fault::NotAnImage));
        }
    }

    #[test]
    fn a_photograph_is_turned_as_its_camera_says() {
        let mut photograph = file(&DynamicImage::ImageRgb8(RgbImage::new(400, 200)), ImageFormat::Jpeg);
        // An APP1 segment of EXIF whose only entry is: orientation, 6 (to be turned right by a quarter).
        let exif =
            b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        photograph.splice(2..2, exif.iter().copied());
        assert_eq!(made(&photograph, wanted(320, 240, Method::Scale)), ("image/jpeg", (120, 240)));
    }
}
