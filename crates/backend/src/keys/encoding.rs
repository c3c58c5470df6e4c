//! How parts of a key are written that serde has no own way for.

/// Points by both coordinates: reading them takes no square roots.
pub mod coordinates {
    use crate::curve::Point;
    use crate::generators;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub fn serialize<S: Serializer>(points: &[Point], serializer: S) -> Result<S::Ok, S::Error> {
        let halves = |point: &Point| -> [[u8; 32]; 2] {
            let bytes = generators::coordinates(point);
            std::array::from_fn(|i| std::array::from_fn(|j| bytes[32 * i + j]))
        };
        points.iter().map(halves).collect::<Vec<_>>().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Point>, D::Error> {
        let encoded = Vec::<[[u8; 32]; 2]>::deserialize(deserializer)?;
        let point = |[x, y]: &[[u8; 32]; 2]| {
            let mut bytes = [0; 64];
            bytes[..32].copy_from_slice(x);
            bytes[32..].copy_from_slice(y);
            generators::point(&bytes).ok_or_else(|| D::Error::custom("a commitment is not a point on the curve"))
        };
        encoded.iter().map(point).collect()
    }
}

/// 64 bytes as two arrays.
pub mod halves {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8; 64], serializer: S) -> Result<S::Ok, S::Error> {
        let [low, high]: [[u8; 32]; 2] = std::array::from_fn(|i| std::array::from_fn(|j| bytes[32 * i + j]));
        (low, high).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 64], D::Error> {
        let (low, high) = <([u8; 32], [u8; 32])>::deserialize(deserializer)?;
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&low);
        bytes[32..].copy_from_slice(&high);
        Ok(bytes)
    }
}
