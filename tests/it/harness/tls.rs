//! An authority of the test's own and a certificate by it.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;

/// The name in the certificate.
pub const SERVER_NAME: &str = "edge.test";

/// An authority, and a leaf for [`SERVER_NAME`] and `localhost` in PEM.
pub struct Ca {
    pub leaf_pem: String,
    pub leaf_key_pem: String,
    pub authority_pem: String,
    authority: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A client's certificate, and the key that goes with it.
pub struct Holder {
    pem: (String, String),
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Holder {
    /// Certificate and key as files have them.
    pub fn pem(&self) -> (String, String) {
        self.pem.clone()
    }
}

impl Ca {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let leaf_key = KeyPair::generate().unwrap();
        let names = vec![SERVER_NAME.to_owned(), "localhost".to_owned()];
        let leaf = CertificateParams::new(names).unwrap().signed_by(&leaf_key, &issuer).unwrap();
        Self {
            leaf_pem: leaf.pem(),
            leaf_key_pem: leaf_key.serialize_pem(),
            authority_pem: authority.pem(),
            authority: authority.der().clone(),
            issuer,
        }
    }

    /// A certificate for a client of this common name, of a tenant as its organization, good from and to
    /// the first of January of two years.
    pub fn holder(&self, name: &str, tenant: &str, serial: u64, (from, to): (i32, i32)) -> Holder {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.distinguished_name.push(DnType::OrganizationName, tenant);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.serial_number = Some(SerialNumber::from(serial));
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        let pem = (leaf.pem(), key.serialize_pem());
        let shown = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Holder { pem, chain: vec![leaf.der().clone()], key: shown }
    }

    /// A list of certificates that were taken back, in PEM.
    pub fn revoked(&self, serials: &[u64]) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2021, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2021, 1, 1),
            next_update: date_time_ymd(2099, 1, 1),
            crl_number: SerialNumber::from(1u64),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }

    /// A client that believes this authority and shows a certificate of its own.
    pub fn client_as(&self, alpn: &[&[u8]], holder: Holder) -> Arc<rustls::ClientConfig> {
        let mut config = self.builder().with_client_auth_cert(holder.chain, holder.key).unwrap();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    }

    /// A client that believes this authority and speaks these protocols.
    pub fn client(&self, alpn: &[&[u8]]) -> Arc<rustls::ClientConfig> {
        let mut config = self.builder().with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    }

    /// A server with the leaf that speaks these protocols, the preferred one first.
    pub fn server(&self, alpn: &[&[u8]]) -> Arc<rustls::ServerConfig> {
        let chain = vec![CertificateDer::from_pem_slice(self.leaf_pem.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(self.leaf_key_pem.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let mut config = builder.with_single_cert(chain, key).unwrap();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    }

    fn builder(&self) -> rustls::ConfigBuilder<rustls::ClientConfig, rustls::client::WantsClientCert> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.authority.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider);
        builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots)
    }
}
