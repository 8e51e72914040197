//! Ed25519 verification, by the platform's WebCrypto where there is one: twice as fast as in wasm.

/// Whether `key` made `signature` on `message`.
#[cfg(not(target_arch = "wasm32"))]
#[expect(clippy::unused_async, reason = "the platform's is asynchronous")]
pub async fn is_signed(key: &[u8], signature: &[u8], message: &[u8]) -> bool {
    use ruma::{SigningKeyAlgorithm, signatures::verify_canonical_json_bytes};
    verify_canonical_json_bytes(&SigningKeyAlgorithm::Ed25519, key, signature, message).is_ok()
}

/// Whether `key` made `signature` on `message`.
#[cfg(target_arch = "wasm32")]
pub async fn is_signed(key: &[u8], signature: &[u8], message: &[u8]) -> bool {
    subtle::verify(key, signature, message).await.unwrap_or(false)
}

#[cfg(target_arch = "wasm32")]
mod subtle {
    use js_sys::{Array, Uint8Array};
    use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

    #[wasm_bindgen]
    extern "C" {
        #[wasm_bindgen(js_namespace = ["crypto", "subtle"], js_name = importKey, catch)]
        async fn import_key(
            format: &str,
            key: &Uint8Array,
            algorithm: &str,
            extractable: bool,
            usages: &Array,
        ) -> Result<JsValue, JsValue>;

        #[wasm_bindgen(js_namespace = ["crypto", "subtle"], js_name = verify, catch)]
        async fn verify_with(
            algorithm: &str,
            key: &JsValue,
            signature: &Uint8Array,
            message: &Uint8Array,
        ) -> Result<JsValue, JsValue>;
    }

    pub async fn verify(key: &[u8], signature: &[u8], message: &[u8]) -> Result<bool, JsValue> {
        let usages = Array::of1(&JsValue::from_str("verify"));
        let key = import_key("raw", &Uint8Array::from(key), "Ed25519", false, &usages).await?;
        let outcome =
            verify_with("Ed25519", &key, &Uint8Array::from(signature), &Uint8Array::from(message)).await?;
        Ok(outcome.is_truthy())
    }
}
