//! What a request is for, as its caller says: codes of HL7's PurposeOfUse
//! (<https://terminology.hl7.org/ValueSet-v3-PurposeOfUse.html>), in the header `Purpose-Of-Use`.
//! It is written down with what was done, and lets nobody do more.

/// What may be said.
pub const CODES: [&str; 59] = [
    "BIORCH",
    "BTG",
    "CAREMGT",
    "CLINTRCH",
    "CLINTRCHNPC",
    "CLINTRCHPC",
    "CLMATTCH",
    "COC",
    "COVAUTH",
    "COVERAGE",
    "DISASTER",
    "DONAT",
    "DSRCH",
    "ELIGDTRM",
    "ELIGVER",
    "ENROLLM",
    "ERTREAT",
    "ETREAT",
    "FAMRQT",
    "FRAUD",
    "GOV",
    "HACCRED",
    "HCOMPL",
    "HDECD",
    "HDIRECT",
    "HDM",
    "HLEGAL",
    "HMARKT",
    "HOPERAT",
    "HOUTCOMS",
    "HPAYMT",
    "HPRGRP",
    "HQUALIMP",
    "HRESCH",
    "HSYSADMIN",
    "HTEST",
    "LABELING",
    "MEMADMIN",
    "METAMGT",
    "MILCDM",
    "MILDCRG",
    "PATADMIN",
    "PATRQT",
    "PATSFTY",
    "PERFMSR",
    "POARCH",
    "POPHLTH",
    "PRECLINTRCH",
    "PUBHLTH",
    "PURPOSEOFUSE",
    "PWATRNY",
    "RECORDMGT",
    "REMITADV",
    "SUPNWK",
    "SYSDEV",
    "THREAT",
    "TRAIN",
    "TRANSRCH",
    "TREAT",
];
/// Purposes of one request.
const MOST: usize = 4;

/// The purposes of a header, codes apart by commas; None for one that is none, and for too many.
pub fn read(text: &str) -> Option<Vec<String>> {
    let codes: Vec<&str> = text.split(',').map(str::trim).collect();
    let are_known = codes.iter().all(|code| CODES.contains(code));
    (are_known && codes.len() <= MOST).then(|| codes.into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_are_codes_apart_by_commas() {
        assert_eq!(read("TREAT"), Some(vec!["TREAT".to_owned()]));
        assert_eq!(read("TREAT, PATRQT").map(|codes| codes.len()), Some(2));
        for wrong in ["", "treat", "TREAT,", "SHOPPING", "TREAT,TREAT,TREAT,TREAT,TREAT"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
