//! Invented resources of the kinds that a network of maternity hospitals stores most. Names,
//! numbers and dates are drawn at random; codes are the public ones of FHIR, LOINC, SNOMED CT
//! and UCUM.

/// A small generator with a fixed sequence, so that a training can be repeated.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// xorshift*, good enough to vary text.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 33) % bound
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len() as u64) as usize]
    }

    pub fn uuid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        let parts = (a >> 32, a >> 16 & 0xffff, a & 0xfff, b >> 48 & 0x3fff | 0x8000, b >> 16);
        format!(
            "{:08x}-{:04x}-7{:03x}-{:04x}-{:012x}",
            parts.0,
            parts.1,
            parts.2,
            parts.3,
            parts.4 & 0xffff_ffff_ffff
        )
    }

    fn date(&mut self) -> String {
        let (year, month, day) = (1980 + self.below(46), 1 + self.below(12), 1 + self.below(28));
        format!("{year}-{month:02}-{day:02}")
    }

    fn time(&mut self) -> String {
        format!("{:02}:{:02}:{:02}", self.below(24), self.below(60), self.below(60))
    }

    pub fn instant(&mut self) -> String {
        format!("{}T{}.{:03}Z", self.date(), self.time(), self.below(1000))
    }

    fn date_time(&mut self) -> String {
        let zone = self.pick(&["+06:00", "Z", "-04:00", "+00:00"]);
        format!("{}T{}{zone}", self.date(), self.time())
    }
}

const FAMILY: [&str; 8] =
    ["Rahman", "Okafor", "Silva", "Novak", "Haddad", "Mensah", "Larsen", "Chowdhury"];
const GIVEN: [&str; 8] = ["Amina", "Grace", "Maria", "Jana", "Leila", "Kofi", "Ingrid", "Tariq"];

/// LOINC code, display, UCUM unit.
const MEASUREMENTS: [(&str, &str, &str); 16] = [
    ("8867-4", "Heart rate", "/min"),
    ("9279-1", "Respiratory rate", "/min"),
    ("8310-5", "Body temperature", "Cel"),
    ("8302-2", "Body Height", "cm"),
    ("29463-7", "Body Weight", "kg"),
    ("39156-5", "Body Mass Index", "kg/m2"),
    ("2708-6", "Oxygen saturation in Arterial blood", "%"),
    ("8339-4", "Birth weight Measured", "g"),
    ("9843-4", "Head Occipital-frontal circumference", "cm"),
    ("718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL"),
    ("2339-0", "Glucose", "mg/dL"),
    ("6690-2", "Leukocytes [#/volume] in Blood by Automated count", "10*3/uL"),
    ("2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "mg/dL"),
    ("11884-4", "Gestational age Estimated", "wk"),
    ("9274-2", "5 minute Apgar Score", "{score}"),
    ("55283-6", "Fetal Heart rate", "/min"),
];

/// SNOMED CT code and term.
const FINDINGS: [(&str, &str); 8] = [
    ("72892002", "Normal pregnancy"),
    ("11687002", "Gestational diabetes mellitus"),
    ("398254007", "Pre-eclampsia"),
    ("276654001", "Congenital malformation"),
    ("387712008", "Neonatal jaundice"),
    ("444814009", "Viral sinusitis (disorder)"),
    ("59621000", "Hypertension"),
    ("271737000", "Anemia (disorder)"),
];

/// One resource, as the server stores it.
pub fn resource(random: &mut Random) -> String {
    match random.below(20) {
        0..=8 => observation(random),
        9 => blood_pressure(random),
        10 => patient(random),
        11 | 12 => encounter(random),
        13 => condition(random),
        14 => procedure(random),
        15 => immunization(random),
        16 => medication_request(random),
        17 => diagnostic_report(random),
        18 => claim(random),
        _ => practitioner_or_organization(random),
    }
}

fn head(random: &mut Random, kind: &str) -> String {
    format!(
        r#"{{"resourceType":"{kind}","id":"{}","meta":{{"versionId":"1","lastUpdated":"{}"}}"#,
        random.uuid(),
        random.instant()
    )
}

fn snomed(random: &mut Random) -> String {
    let (code, display) = FINDINGS[random.below(8) as usize];
    format!(
        concat!(
            r#"{{"coding":[{{"system":"http://snomed.info/sct","code":"{}","display":"{}"}}],"#,
            r#""text":"{}"}}"#
        ),
        code, display, display
    )
}

fn quantity(random: &mut Random, unit: &str) -> String {
    let value = match random.below(2) {
        0 => format!("{}.{}", random.below(200), random.below(100)),
        _ => format!("{}.{}", random.below(200), random.next()),
    };
    let system = "http://unitsofmeasure.org";
    format!(r#"{{"value":{value},"unit":"{unit}","system":"{system}","code":"{unit}"}}"#)
}

fn category(random: &mut Random) -> String {
    let code = random.pick(&["vital-signs", "laboratory", "survey", "social-history"]);
    format!(
        concat!(
            r#""category":[{{"coding":[{{"system":"#,
            r#""http://terminology.hl7.org/CodeSystem/observation-category","#,
            r#""code":"{code}","display":"{code}"}}]}}]"#
        ),
        code = code
    )
}

fn about(random: &mut Random) -> String {
    format!(
        concat!(
            r#""subject":{{"reference":"Patient/{}"}},"encounter":{{"reference":"Encounter/{}"}},"#,
            r#""effectiveDateTime":"{}","issued":"{}""#
        ),
        random.uuid(),
        random.uuid(),
        random.date_time(),
        random.instant()
    )
}

fn loinc(code: &str, display: &str) -> String {
    format!(
        concat!(
            r#"{{"coding":[{{"system":"http://loinc.org","code":"{}","display":"{}"}}],"#,
            r#""text":"{}"}}"#
        ),
        code, display, display
    )
}

fn observation(random: &mut Random) -> String {
    let (code, display, unit) = MEASUREMENTS[random.below(16) as usize];
    format!(
        r#"{},"status":"final",{},"code":{},{},"valueQuantity":{}}}"#,
        head(random, "Observation"),
        category(random),
        loinc(code, display),
        about(random),
        quantity(random, unit)
    )
}

fn blood_pressure(random: &mut Random) -> String {
    let parts: Vec<_> =
        [("8462-4", "Diastolic Blood Pressure"), ("8480-6", "Systolic Blood Pressure")]
            .iter()
            .map(|(code, display)| {
                let value = quantity(random, "mm[Hg]");
                format!(r#"{{"code":{},"valueQuantity":{value}}}"#, loinc(code, display))
            })
            .collect();
    format!(
        r#"{},"status":"final",{},"code":{},{},"component":[{}]}}"#,
        head(random, "Observation"),
        category(random),
        loinc("85354-9", "Blood Pressure"),
        about(random),
        parts.join(",")
    )
}

fn identifier(random: &mut Random) -> String {
    let (code, display) = match random.below(4) {
        0 => ("MR", "Medical Record Number"),
        1 => ("SS", "Social Security Number"),
        2 => ("PPN", "Passport Number"),
        _ => ("NI", "National unique individual identifier"),
    };
    format!(
        concat!(
            r#"{{"use":"official","type":{{"coding":[{{"system":"#,
            r#""http://terminology.hl7.org/CodeSystem/v2-0203","code":"{}","display":"{}"}}],"#,
            r#""text":"{}"}},"system":"http://hospital.example.org/{}","value":"{}"}}"#
        ),
        code,
        display,
        display,
        code,
        random.uuid()
    )
}

fn name(random: &mut Random) -> String {
    let (family, given) = (random.pick(&FAMILY), random.pick(&GIVEN));
    let prefix = random.pick(&["Mrs.", "Ms.", "Mr.", "Dr."]);
    let given = format!(r#"["{given}"]"#);
    format!(
        r#""name":[{{"use":"official","family":"{family}","given":{given},"prefix":["{prefix}"]}}]"#
    )
}

fn patient(random: &mut Random) -> String {
    let gender = random.pick(&["female", "male", "other", "unknown"]);
    let status = random.pick(&["M", "S", "D", "W"]);
    format!(
        concat!(
            r#"{},"extension":[{{"url":"http://hl7.org/fhir/StructureDefinition/"#,
            r#"patient-mothersMaidenName","valueString":"{} {}"}},"#,
            r#"{{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthPlace","#,
            r#""valueAddress":{{"city":"Riverton","state":"North","country":"XX"}}}}],"#,
            r#""identifier":[{},{}],"active":true,{},"telecom":[{{"system":"phone","#,
            r#""value":"555-{}-{}","use":"home"}}],"gender":"{}","birthDate":"{}","#,
            r#""address":[{{"line":["{} Main Street"],"city":"Riverton","state":"North","#,
            r#""postalCode":"{}","country":"XX"}}],"maritalStatus":{{"coding":[{{"system":"#,
            r#""http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","code":"{}","#,
            r#""display":"{}"}}],"text":"{}"}},"multipleBirthBoolean":false,"communication":"#,
            r#"[{{"language":{{"coding":[{{"system":"urn:ietf:bcp:47","code":"en-US","#,
            r#""display":"English"}}],"text":"English"}}}}],"generalPractitioner":"#,
            r#"[{{"reference":"Practitioner/{}"}}],"managingOrganization":"#,
            r#"{{"reference":"Organization/{}"}}}}"#
        ),
        head(random, "Patient"),
        random.pick(&GIVEN),
        random.pick(&FAMILY),
        identifier(random),
        identifier(random),
        name(random),
        random.below(1000),
        random.below(10000),
        gender,
        random.date(),
        random.below(1000),
        random.below(100000),
        status,
        status,
        status,
        random.uuid(),
        random.uuid()
    )
}

fn period(random: &mut Random) -> String {
    format!(r#"{{"start":"{}","end":"{}"}}"#, random.date_time(), random.date_time())
}

fn encounter(random: &mut Random) -> String {
    let class = random.pick(&["AMB", "IMP", "EMER", "WELLNESS"]);
    format!(
        concat!(
            r#"{},"status":"finished","class":{{"system":"#,
            r#""http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"{}"}},"type":[{}],"#,
            r#""subject":{{"reference":"Patient/{}","display":"{} {}"}},"participant":"#,
            r#"[{{"type":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/"#,
            r#"v3-ParticipationType","code":"PPRF","display":"primary performer"}}],"text":"#,
            r#""primary performer"}}],"period":{},"individual":{{"reference":"Practitioner/{}","#,
            r#""display":"Dr. {} {}"}}}}],"period":{},"reasonCode":[{}],"serviceProvider":"#,
            r#"{{"reference":"Organization/{}","display":"General Hospital"}}}}"#
        ),
        head(random, "Encounter"),
        class,
        snomed(random),
        random.uuid(),
        random.pick(&GIVEN),
        random.pick(&FAMILY),
        period(random),
        random.uuid(),
        random.pick(&GIVEN),
        random.pick(&FAMILY),
        period(random),
        snomed(random),
        random.uuid()
    )
}

fn condition(random: &mut Random) -> String {
    let status = random.pick(&["active", "resolved", "inactive"]);
    format!(
        concat!(
            r#"{},"clinicalStatus":{{"coding":[{{"system":"#,
            r#""http://terminology.hl7.org/CodeSystem/condition-clinical","code":"{}"}}]}},"#,
            r#""verificationStatus":{{"coding":[{{"system":"http://terminology.hl7.org/"#,
            r#"CodeSystem/condition-ver-status","code":"confirmed"}}]}},"category":[{{"coding":"#,
            r#"[{{"system":"http://terminology.hl7.org/CodeSystem/condition-category","code":"#,
            r#""encounter-diagnosis","display":"Encounter Diagnosis"}}]}}],"code":{},"#,
            r#""subject":{{"reference":"Patient/{}"}},"encounter":{{"reference":"#,
            r#""Encounter/{}"}},"onsetDateTime":"{}","abatementDateTime":"{}","#,
            r#""recordedDate":"{}"}}"#
        ),
        head(random, "Condition"),
        status,
        snomed(random),
        random.uuid(),
        random.uuid(),
        random.date_time(),
        random.date_time(),
        random.date_time()
    )
}

fn procedure(random: &mut Random) -> String {
    format!(
        concat!(
            r#"{},"status":"completed","code":{},"subject":{{"reference":"Patient/{}"}},"#,
            r#""encounter":{{"reference":"Encounter/{}"}},"performedPeriod":{},"#,
            r#""reasonReference":[{{"reference":"Condition/{}","display":"Normal pregnancy"}}]}}"#
        ),
        head(random, "Procedure"),
        snomed(random),
        random.uuid(),
        random.uuid(),
        period(random),
        random.uuid()
    )
}

fn immunization(random: &mut Random) -> String {
    let (code, display) = match random.below(3) {
        0 => ("19", "BCG"),
        1 => ("08", "Hep B, adolescent or pediatric"),
        _ => ("140", "Influenza, seasonal, injectable, preservative free"),
    };
    format!(
        concat!(
            r#"{},"status":"completed","vaccineCode":{{"coding":[{{"system":"#,
            r#""http://hl7.org/fhir/sid/cvx","code":"{}","display":"{}"}}],"text":"{}"}},"#,
            r#""patient":{{"reference":"Patient/{}"}},"encounter":{{"reference":"#,
            r#""Encounter/{}"}},"occurrenceDateTime":"{}","primarySource":true}}"#
        ),
        head(random, "Immunization"),
        code,
        display,
        display,
        random.uuid(),
        random.uuid(),
        random.date_time()
    )
}

fn medication_request(random: &mut Random) -> String {
    let medicine = random.pick(&["Ferrous sulfate 325 MG Oral Tablet", "Oxytocin 10 UNT/ML"]);
    format!(
        concat!(
            r#"{},"status":"active","intent":"order","medicationCodeableConcept":{{"coding":"#,
            r#"[{{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"{}","#,
            r#""display":"{}"}}],"text":"{}"}},"subject":{{"reference":"Patient/{}"}},"#,
            r#""encounter":{{"reference":"Encounter/{}"}},"authoredOn":"{}","requester":"#,
            r#"{{"reference":"Practitioner/{}","display":"Dr. {}"}},"reasonReference":"#,
            r#"[{{"reference":"Condition/{}"}}],"dosageInstruction":[{{"sequence":1,"timing":"#,
            r#"{{"repeat":{{"frequency":1,"period":1.0,"periodUnit":"d"}}}},"#,
            r#""asNeededBoolean":false,"doseAndRate":[{{"type":{{"coding":[{{"system":"#,
            r#""http://terminology.hl7.org/CodeSystem/dose-rate-type","code":"ordered","#,
            r#""display":"Ordered"}}]}},"doseQuantity":{{"value":1.0}}}}]}}]}}"#
        ),
        head(random, "MedicationRequest"),
        random.below(1_000_000),
        medicine,
        medicine,
        random.uuid(),
        random.uuid(),
        random.date_time(),
        random.uuid(),
        random.pick(&FAMILY),
        random.uuid()
    )
}

fn diagnostic_report(random: &mut Random) -> String {
    let results: Vec<_> = (0..4 + random.below(8))
        .map(|_| {
            let (_, display, _) = MEASUREMENTS[random.below(16) as usize];
            format!(r#"{{"reference":"Observation/{}","display":"{display}"}}"#, random.uuid())
        })
        .collect();
    format!(
        concat!(
            r#"{},"status":"final","category":[{{"coding":[{{"system":"http://"#,
            r#"terminology.hl7.org/CodeSystem/v2-0074","code":"LAB","display":"Laboratory"}}]}}],"#,
            r#""code":{},{},"result":[{}]}}"#
        ),
        head(random, "DiagnosticReport"),
        loinc("58410-2", "Complete blood count (hemogram) panel - Blood by Automated count"),
        about(random),
        results.join(",")
    )
}

fn claim(random: &mut Random) -> String {
    format!(
        concat!(
            r#"{},"status":"active","type":{{"coding":[{{"system":"http://terminology.hl7.org/"#,
            r#"CodeSystem/claim-type","code":"institutional"}}]}},"use":"claim","patient":"#,
            r#"{{"reference":"Patient/{}","display":"{}"}},"billablePeriod":{},"created":"{}","#,
            r#""provider":{{"reference":"Organization/{}","display":"General Hospital"}},"#,
            r#""priority":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/"#,
            r#"processpriority","code":"normal"}}]}},"diagnosis":[{{"sequence":1,"#,
            r#""diagnosisReference":{{"reference":"Condition/{}"}}}}],"insurance":[{{"sequence":"#,
            r#"1,"focal":true,"coverage":{{"display":"Medicaid"}}}}],"item":[{{"sequence":1,"#,
            r#""diagnosisSequence":[1],"productOrService":{},"encounter":[{{"reference":"#,
            r#""Encounter/{}"}}],"net":{{"value":{}.{},"currency":"USD"}}}}],"total":"#,
            r#"{{"value":{}.{},"currency":"USD"}}}}"#
        ),
        head(random, "Claim"),
        random.uuid(),
        random.pick(&FAMILY),
        period(random),
        random.date_time(),
        random.uuid(),
        random.uuid(),
        snomed(random),
        random.uuid(),
        random.below(10000),
        random.below(100),
        random.below(10000),
        random.below(100)
    )
}

fn practitioner_or_organization(random: &mut Random) -> String {
    match random.below(2) {
        0 => format!(
            r#"{},"identifier":[{}],"active":true,{},"gender":"female"}}"#,
            head(random, "Practitioner"),
            identifier(random),
            name(random)
        ),
        _ => format!(
            concat!(
                r#"{},"identifier":[{}],"active":true,"type":[{{"coding":[{{"system":"#,
                r#""http://terminology.hl7.org/CodeSystem/organization-type","code":"prov","#,
                r#""display":"Healthcare Provider"}}],"text":"Healthcare Provider"}}],"#,
                r#""name":"{} Hospital","telecom":[{{"system":"phone","value":"{}"}}]}}"#
            ),
            head(random, "Organization"),
            identifier(random),
            random.pick(&FAMILY),
            random.below(10_000_000)
        ),
    }
}
