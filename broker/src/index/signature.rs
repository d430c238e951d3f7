//! Signatures of model files: whoever has learned a model signs it, and an index takes it only from those whom its
//! configuration names. The signature is a JWS over the version and the digest of the file's canonical bytes.

use super::scoring::ScoringModel;
use serde::{Deserialize, Serialize};
use severn_linkage::model::{ModelError, ModelFile};
use severn_trust::{KeyError, PublicKey, SigningKey, hex, sha256};

const TYPE: &str = "severn-model+jwt";

/// Why a model is not signed, or its signature not believed.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// There is none.
    #[error("the model file is not signed; sign it by training with `severn-broker index train`")]
    Unsigned,
    /// No key that is named has made the signature.
    #[error("the model file is signed by none of the keys named in index.model_keys: {0}")]
    NotTrusted(KeyError),
    /// It was changed after it was signed.
    #[error("the model file was changed after it was signed")]
    Changed,
    /// The key cannot sign.
    #[error("the model file cannot be signed: {0}")]
    Key(KeyError),
    /// It is no model.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// What is signed of a model.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    version: String,
    sha256: String,
}

impl Signed {
    fn of(file: &ModelFile) -> Result<Signed, SignatureError> {
        Ok(Signed { version: file.version.clone(), sha256: hex(&sha256(&[&file.signed_bytes()?])) })
    }
}

/// Signs a model, and gives its file as it is written: JSON that a person can read.
///
/// # Errors
/// [`SignatureError`] if it cannot be written or signed.
pub fn sign_model(mut file: ModelFile, key: &SigningKey) -> Result<Vec<u8>, SignatureError> {
    // What is signed is what a reader will have read.
    file = serde_json::from_slice(&file.signed_bytes()?).map_err(ModelError::from)?;
    file.signature = Some(key.sign(TYPE, &Signed::of(&file)?).map_err(SignatureError::Key)?);
    let text = serde_json::to_vec_pretty(&file).map_err(ModelError::from)?;
    check_signature(&ScoringModel::read(text.clone().into())?, std::slice::from_ref(key.public()))?;
    Ok(text)
}

/// Checks that one of `keys` signed a model. The built-in one is part of the program and needs no signature.
///
/// # Errors
/// [`SignatureError`] if none did.
pub fn check_signature(model: &ScoringModel, keys: &[PublicKey]) -> Result<(), SignatureError> {
    if *model == ScoringModel::built_in() {
        return Ok(());
    }
    let file = model.model().file();
    let signature = file.signature.as_deref().ok_or(SignatureError::Unsigned)?;
    let mut refused = KeyError::WrongSignature;
    for key in keys {
        match key.verify::<Signed>(&[TYPE], signature) {
            Ok(signed) if signed == Signed::of(file)? => return Ok(()),
            Ok(_) => return Err(SignatureError::Changed),
            Err(error) => refused = error,
        }
    }
    Err(SignatureError::NotTrusted(refused))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::KeyPair;

    fn key() -> SigningKey {
        SigningKey::from_pem(&KeyPair::generate().unwrap().serialize_pem()).unwrap()
    }

    fn read(text: &[u8]) -> ScoringModel {
        ScoringModel::read(text.to_vec().into()).unwrap()
    }

    #[test]
    fn a_model_is_believed_if_a_named_key_signed_just_this() {
        let (ours, theirs) = (key(), key());
        let file = ScoringModel::built_in().model().file().clone();
        let text = sign_model(ModelFile { version: "ours".into(), ..file.clone() }, &ours).unwrap();
        let keys = [theirs.public().clone(), ours.public().clone()];
        check_signature(&read(&text), &keys).unwrap();
        let said = |text: &[u8], keys: &[PublicKey]| check_signature(&read(text), keys).unwrap_err().to_string();
        assert!(said(&text, &keys[..1]).contains("none of the keys"));
        assert!(said(&text, &[]).contains("none of the keys"));
        let changed = String::from_utf8(text).unwrap().replacen("0.999", "0.998", 1);
        assert!(said(changed.as_bytes(), &keys).contains("changed after it was signed"));
        let unsigned = serde_json::to_vec(&file).unwrap();
        assert!(said(&unsigned, &keys).contains("not signed"));
        check_signature(&ScoringModel::built_in(), &[]).unwrap();
    }
}
