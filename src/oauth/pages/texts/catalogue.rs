//! The catalogue.

/// A line: name, English, French.
macro_rules! catalogue {
    ($($name:ident: $english:literal, $french:literal;)*) => {
        /// The texts of one language.
        pub struct Texts {
            pub lang: &'static str,
            $(pub $name: &'static str,)*
        }

        pub static ENGLISH: Texts = Texts { lang: "en", $($name: $english,)* };
        pub static FRENCH: Texts = Texts { lang: "fr", $($name: $french,)* };
    };
}

catalogue! {
    // Everywhere.
    skip: "Skip to the content", "Aller au contenu";
    error: "There is a problem", "Il y a un problème";
    problem_title: "This did not work", "Cela n’a pas fonctionné";
    account: "Your account", "Votre compte";
    apps: "Your applications", "Vos applications";
    sign_in: "Sign in", "Se connecter";
    sign_out: "Sign out", "Se déconnecter";
    go_on: "Continue", "Continuer";
    cancel: "Cancel", "Annuler";
    save: "Save", "Enregistrer";
    search: "Search", "Rechercher";
    email: "E-mail address", "Adresse électronique";
    password: "Password", "Mot de passe";
    name: "Name", "Nom";
    to_start: "To the start page", "Vers la page d’accueil";
    since: "Since", "Depuis";
    until: "until", "jusqu’au";
    ends_in: "Minutes that you have for this: {}. After that, begin again.",
        "Minutes dont vous disposez : {}. Ensuite, il faudra recommencer.";

    // Start page.
    home: "Health information of mothers and children", "Informations de santé des mères et des \
         enfants";
    home_text: "The Birth Health Network connects families, health professionals, hospitals and \
         registries.",
        "Le Birth Health Network relie les familles, les professionnels de santé, les hôpitaux \
         et les registres.";
    home_people: "For people", "Pour les personnes";
    home_people_text: "See who may use your health information, and change it.",
        "Voyez qui peut utiliser vos informations de santé, et modifiez-le.";
    home_developers: "For developers", "Pour les développeurs";
    home_developers_text: "An HL7 FHIR R4 server with SMART App Launch 2.2.",
        "Un serveur HL7 FHIR R4 avec SMART App Launch 2.2.";
    home_base: "FHIR base", "Base FHIR";
    home_health: "State of the server", "État du serveur";

    // Sign-out, and launches of staff.
    wrong_logout: "The application asks for a sign-out in a way that it is not registered for.",
        "L’application demande une déconnexion pour laquelle elle n’est pas enregistrée.";
    launch_app: "Open an application", "Ouvrir une application";
    launch_app_text: "Choose a patient and an application. It opens with the patient’s record.",
        "Choisissez un patient et une application. Elle s’ouvre avec le dossier du patient.";
    launch_which: "Which application?", "Quelle application ?";
    launch_none: "No application can be opened from here.",
        "Aucune application ne peut être ouverte ici.";
    launch_without: "Without a patient", "Sans patient";
    launch_button: "Open", "Ouvrir";

    // Providers of identities elsewhere.
    identities: "Other ways to sign in", "Autres moyens de connexion";
    identities_text: "You can also sign in with an account that you have elsewhere.",
        "Vous pouvez aussi vous connecter avec un compte que vous avez ailleurs.";
    identities_manage: "Manage", "Gérer";
    identity_linked: "Connected since", "Relié depuis le";
    identity_link: "Connect", "Relier";
    identity_remove: "Disconnect", "Dissocier";
    identity_go: "Connect your account", "Relier votre compte";
    identity_go_text: "You sign in there now, and come back here.",
        "Vous allez vous y connecter, puis revenir ici.";
    identity_taken: "This identity belongs to another account, or your account has another one \
         there.",
        "Cette identité appartient à un autre compte, ou votre compte y en a une autre.";
    identity_fresh: "Please sign out and sign in with your password first, so that we know that \
         it is you.",
        "Veuillez d’abord vous déconnecter puis vous reconnecter avec votre mot de passe, pour \
         que nous sachions que c’est vous.";
    provider_away: "The service where you sign in does not answer. Please try again later.",
        "Le service de connexion ne répond pas. Veuillez réessayer plus tard.";
    provider_refused: "You could not be signed in there. Please try again.",
        "La connexion à ce service n’a pas réussi. Veuillez réessayer.";
    provider_unknown: "Your identity there is not connected to an account here. Sign in with your \
         password, and connect it at “Your account”.",
        "Votre identité n’y est reliée à aucun compte d’ici. Connectez-vous avec votre mot de \
         passe, puis reliez-la sous « Votre compte ».";
    provider_no_email: "The service has not confirmed your e-mail address.",
        "Le service n’a pas confirmé votre adresse électronique.";
    provider_address_taken: "Your e-mail address has an account here. Sign in with its password, \
         and connect your identity at “Your account”.",
        "Votre adresse électronique a déjà un compte ici. Connectez-vous avec son mot de passe, \
         puis reliez votre identité sous « Votre compte ».";

    // Sign-in.
    sign_in_for: "to go on to", "pour continuer vers";
    forgot: "Forgot your password?", "Mot de passe oublié ?";
    wrong_password: "The e-mail address or the password is not right.",
        "L’adresse électronique ou le mot de passe est incorrect.";
    verify_first: "Please confirm your e-mail address first. We have sent you a new letter.",
        "Veuillez d’abord confirmer votre adresse électronique. Nous vous avons envoyé un \
         nouveau message.";
    too_many_attempts: "There were too many attempts. Nothing is lost: please wait and try \
         again.",
        "Il y a eu trop de tentatives. Rien n’est perdu : veuillez patienter et réessayer.";
    wait_minutes: "Minutes until you can try again: {}",
        "Minutes avant de pouvoir réessayer : {}";
    signed_out: "You are signed out", "Vous êtes déconnecté";
    signed_out_text: "On a shared device, close the browser as well.",
        "Sur un appareil partagé, fermez aussi le navigateur.";
    sign_out_ask: "Sign out?", "Se déconnecter ?";
    sign_out_text: "Applications that work only while you are signed in end with it.",
        "Les applications qui ne fonctionnent que pendant votre connexion s’arrêtent aussi.";

    // Second factor.
    mfa: "Two-step sign-in", "Connexion en deux étapes";
    mfa_code: "Code", "Code";
    mfa_hint: "Six digits of your authenticator app, or one of your recovery codes.",
        "Six chiffres de votre application d’authentification, ou un de vos codes de secours.";
    mfa_set_up: "Set up two-step sign-in", "Activer la connexion en deux étapes";
    app: "Authenticator app", "Application d’authentification";
    app_add: "Add an authenticator app", "Ajouter une application d’authentification";
    passkey: "Passkey", "Clé d’accès";
    passkey_sign_in: "Sign in with a passkey", "Se connecter avec une clé d’accès";
    passkey_sign_in_text: "Your device asks for your fingerprint, your face or its PIN. No \
         password is needed.",
        "Votre appareil demande votre empreinte, votre visage ou son code. Aucun mot de passe \
         n’est nécessaire.";
    passkey_use: "Use a passkey", "Utiliser une clé d’accès";
    passkey_instead: "Use an e-mail address and a password instead",
        "Utiliser plutôt une adresse électronique et un mot de passe";
    passkey_set_up: "Add a passkey", "Ajouter une clé d’accès";
    passkey_set_up_text: "A passkey stays on your device or in your password manager. It signs \
         you in with your fingerprint, your face or a PIN, and works on this site alone.",
        "Une clé d’accès reste sur votre appareil ou dans votre gestionnaire de mots de passe. \
         Elle vous connecte par votre empreinte, votre visage ou un code, et ne fonctionne que \
         sur ce site.";
    passkey_name: "What do you call it?", "Comment l’appelez-vous ?";
    passkey_name_hint: "Such as “Blue phone”, so that you know it among others.",
        "Par exemple « Téléphone bleu », pour la reconnaître parmi d’autres.";
    passkey_no_script: "Passkeys need JavaScript, which is switched off or did not load.",
        "Les clés d’accès nécessitent JavaScript, qui est désactivé ou n’a pas été chargé.";
    passkey_unknown: "This browser does not know passkeys.",
        "Ce navigateur ne connaît pas les clés d’accès.";
    passkey_failed: "Nothing came of it: it was cancelled, it took too long, or there is no \
         passkey of this site on the device. Please try again.",
        "L’opération n’a pas abouti : elle a été annulée, a duré trop longtemps, ou l’appareil \
         n’a pas de clé d’accès pour ce site. Veuillez réessayer.";
    wrong_passkey: "This passkey is not good here, or it took too long. Please try again.",
        "Cette clé d’accès n’est pas valable ici, ou cela a duré trop longtemps. Veuillez \
         réessayer.";
    passkey_not_made: "The passkey could not be taken. Please try again.",
        "La clé d’accès n’a pas pu être acceptée. Veuillez réessayer.";
    passkey_not_added: "This passkey is known already, or there are too many.",
        "Cette clé d’accès est déjà connue, ou il y en a trop.";
    app_instead: "Use an authenticator app instead",
        "Utiliser plutôt une application d’authentification";
    passkey_rather: "Use a passkey instead", "Utiliser plutôt une clé d’accès";
    or_code: "Or with a code", "Ou avec un code";
    recovery_code: "Recovery code", "Code de secours";
    recovery_code_hint: "One of your recovery codes.", "Un de vos codes de secours.";
    recovery_left: "Recovery codes that are left: {}", "Codes de secours restants : {}";
    made_on: "Made on", "Créée le";
    used_on: "last used on", "utilisée le";
    rename: "Rename", "Renommer";
    rename_label: "Name of the passkey", "Nom de la clé d’accès";
    remove: "Remove", "Supprimer";
    remove_factor: "Remove a way to sign in", "Supprimer un moyen de connexion";
    remove_factor_ask: "To remove “{}”, show that it is you by another way.",
        "Pour supprimer « {} », confirmez que c’est vous par un autre moyen.";
    remove_held: "For administrators this takes 24 hours. You get a letter, and can keep it \
         until then.",
        "Pour les administrateurs, cela prend 24 heures. Vous recevez un message et pouvez \
         l’annuler d’ici là.";
    factor_last: "Your account needs a second step. Add another way first, then remove this one.",
        "Votre compte exige une deuxième étape. Ajoutez d’abord un autre moyen, puis supprimez \
         celui-ci.";
    factor_ends: "Will be removed on {}", "Sera supprimé le {}";
    factor_keep: "Keep it", "Conserver";
    again_text: "Please sign in again: what you are about to change protects your account.",
        "Veuillez vous reconnecter : ce que vous allez modifier protège votre compte.";
    mfa_mandatory: "Your account can reach health information of others, so it is protected by a \
         second step.",
        "Votre compte donne accès aux informations de santé d’autres personnes ; il est donc \
         protégé par une deuxième étape.";
    mfa_offered: "Whoever learns your password still cannot sign in.",
        "Même avec votre mot de passe, personne d’autre ne pourra se connecter.";
    mfa_step_1: "Open an authenticator app on your phone, or install one.",
        "Ouvrez une application d’authentification sur votre téléphone, ou installez-en une.";
    mfa_step_2: "Scan this picture with it.", "Scannez cette image avec l’application.";
    mfa_key: "Or type this key:", "Ou saisissez cette clé :";
    mfa_step_3: "Enter the six digits that the app shows", "Saisissez les six chiffres affichés \
         par l’application";
    mfa_on: "Two-step sign-in is on.", "La connexion en deux étapes est activée.";
    mfa_off: "Two-step sign-in is off.", "La connexion en deux étapes est désactivée.";
    wrong_code: "This code is not right, or was used before. Wait for the next one.",
        "Ce code est incorrect ou a déjà été utilisé. Attendez le suivant.";
    recovery: "Keep your recovery codes", "Conservez vos codes de secours";
    recovery_text: "Each of them signs you in once where you do not have your phone. They are \
         shown this once.",
        "Chacun permet une connexion sans votre téléphone. Ils ne sont affichés qu’une fois.";
    recovery_hint: "Print them, or keep them in a password manager.",
        "Imprimez-les ou gardez-les dans un gestionnaire de mots de passe.";
    recovery_kept: "I have kept them", "Je les ai conservés";

    // Consent.
    consent: "Allow access", "Autoriser l’accès";
    consent_asks: "asks for access", "demande un accès";
    consent_publisher: "Published by", "Publié par";
    consent_host: "You will be sent to", "Vous serez redirigé vers";
    consent_data: "Health information", "Informations de santé";
    consent_hint: "The application gets what is ticked, and nothing else.",
        "L’application reçoit ce qui est coché, et rien d’autre.";
    consent_parts: "Choose only some of it", "N’en choisir qu’une partie";
    consent_parts_hint: "Untick the line above, then tick what you want to share.",
        "Décochez la ligne ci-dessus, puis cochez ce que vous voulez partager.";
    consent_person: "You and your visit", "Vous et votre visite";
    consent_lasting: "While you are away", "En votre absence";
    consent_days: "For {} days at most.",
        "Pendant {} jours au plus.";
    consent_revoke: "You can end this at any time under “Your applications”.",
        "Vous pouvez y mettre fin à tout moment sous « Vos applications ».";
    allow: "Allow", "Autoriser";
    deny: "Deny",
        "Refuser";
    nothing_ticked: "Nothing is ticked. Tick something, or choose “Deny”.",
        "Rien n’est coché. Cochez un élément, ou choisissez « Refuser ».";
    whole_record: "The whole health record", "Tout le dossier de santé";
    everything_you_see: "Everything you may see", "Tout ce que vous pouvez voir";
    warning_all: "This is everything there is now and everything that is added in the future.",
        "Cela comprend tout ce qui existe maintenant et tout ce qui sera ajouté à l’avenir.";
    act_see: "See", "Voir";
    act_add: "add", "ajouter";
    act_change: "change", "modifier";
    act_delete: "delete", "supprimer";
    of_patient: "for the patient you choose",
        "pour le patient que vous choisissez";
    of_everybody: "for everybody whose record you may see",
        "pour toutes les personnes dont vous voyez le dossier";
    scope_openid: "Recognise you", "Vous reconnaître";
    scope_openid_detail: "The application learns that it is you, by a number of its own.",
        "L’application sait que c’est vous, par un numéro.";
    scope_fhir_user: "Know who you are", "Savoir qui vous êtes";
    scope_fhir_user_detail: "The application sees your name and role as they are on record here.",
        "L’application voit votre nom et votre fonction tels qu’enregistrés ici.";
    scope_launch: "Know where it was opened", "Savoir où elle a été ouverte";
    scope_launch_detail: "The application learns which patient and visit you had open.",
        "L’application sait quel patient et quelle visite étaient ouverts.";
    scope_launch_patient: "Know the patient you choose", "Connaître le patient que vous \
         choisissez";
    scope_launch_patient_detail: "The application learns whose record it is about.",
        "L’application sait de quel dossier il s’agit.";
    scope_launch_encounter: "Know the visit you choose", "Connaître la visite que vous \
         choisissez";
    scope_launch_encounter_detail: "The application learns which visit or stay it is about.",
        "L’application sait de quelle visite ou de quel séjour il s’agit.";
    scope_launch_context_detail: "The application learns which one you choose.",
        "L’application apprend lequel vous choisissez.";
    scope_online: "Stay connected while you are signed in", "Rester connectée pendant votre \
         connexion";
    scope_online_detail: "It ends when you sign out.", "Cela prend fin quand vous vous \
         déconnectez.";
    scope_offline: "Keep access while you are away", "Garder l’accès en votre absence";
    scope_offline_detail: "The application can use what you allow without you being there.",
        "L’application peut utiliser ce que vous autorisez sans votre présence.";
    scope_administration: "Administration of this server.", "Administration de ce serveur.";
    category_encounter_diagnosis: "Diagnoses of a visit", "Diagnostics d’une visite";
    category_problem_list: "Problem list", "Liste des problèmes";
    category_health_concern: "Health concerns", "Préoccupations de santé";
    category_clinical_test: "Clinical tests", "Tests cliniques";
    category_laboratory: "Laboratory", "Laboratoire";
    category_social_history: "Social history", "Contexte social";
    category_sdoh: "Social conditions", "Conditions sociales";
    category_survey: "Surveys", "Enquêtes";
    category_vital_signs: "Vital signs", "Signes vitaux";

    // Pickers.
    pick_patient: "Choose a patient", "Choisir un patient";
    pick_patient_for: "For", "Pour";
    pick_patient_legend: "Whose record is it about?", "De quel dossier s’agit-il ?";
    birth_date: "Birth date", "Date de naissance";
    identifier: "Number, such as that of the record", "Numéro, par exemple de dossier";
    nobody_found: "Nobody was found whose record you may see.",
        "Aucune personne dont vous pouvez voir le dossier n’a été trouvée.";
    search_not_understood: "The search is not understood. A birth date is year-month-day.",
        "La recherche n’est pas comprise. Une date de naissance s’écrit année-mois-jour.";
    not_linked: "Your account is not linked to a health record yet. Ask your hospital for a \
         code.",
        "Votre compte n’est pas encore lié à un dossier de santé. Demandez un code à votre \
         hôpital.";
    pick_one: "Please choose one.", "Veuillez en choisir un.";
    pick_encounter: "Choose a visit", "Choisir une visite";
    pick_encounter_legend: "Which visit or stay is it about?", "De quelle visite ou de quel \
         séjour s’agit-il ?";
    pick_context: "Choose what it is about", "Choisir l’objet de la consultation";
    no_context: "There is nothing to choose from.", "Il n’y a rien à choisir.";
    context_role: "The application uses it as", "L’application l’utilise comme";
    go_on_without: "Continue without", "Continuer sans";
    no_encounter: "There is no open visit or stay.", "Il n’y a ni visite ni séjour en cours.";

    // Account.
    role_title: "Role", "Fonction";
    linked_to: "Linked to", "Lié à";
    linked_to_nothing: "no record yet", "aucun dossier";
    claim: "Code from your hospital", "Code de votre hôpital";
    claim_hint: "It links this account to your health record. Never enter somebody else’s code.",
        "Il lie ce compte à votre dossier de santé. N’entrez jamais le code d’une autre \
         personne.";
    claim_button: "Link the record", "Lier le dossier";
    wrong_claim: "This code is not good. Ask your hospital for a new one.",
        "Ce code n’est pas valable. Demandez-en un nouveau à votre hôpital.";
    change_password: "Change the password", "Changer le mot de passe";
    old_password: "Current password",
        "Mot de passe actuel";
    new_password: "New password", "Nouveau mot de passe";
    wrong_old_password: "The current password is not right.",
        "Le mot de passe actuel est incorrect.";
    password_changed: "The password was changed", "Le mot de passe a été changé";
    least_characters: "At least {} characters.",
        "Au moins {} caractères.";
    password_too_long: "The password is too long.", "Le mot de passe est trop long.";
    password_breached: "This password is known from data breaches, or too simple. Take another \
         one.",
        "Ce mot de passe figure dans des fuites de données ou est trop simple. Prenez-en un \
         autre.";
    password_personal: "This password is your name or address. Take another one.",
        "Ce mot de passe est votre nom ou votre adresse. Prenez-en un autre.";
    sessions: "Where you are signed in", "Où vous êtes connecté";
    this_session: "This one", "Celle-ci";
    last_seen: "last seen", "vu le";
    end_session: "Sign out there", "Déconnecter";
    end_others: "Sign out everywhere else", "Déconnecter partout ailleurs";
    language: "Language", "Langue";
    language_label: "Language of pages and letters", "Langue des pages et des messages";
    apps_text: "These applications may use health information in your name.",
        "Ces applications peuvent utiliser des informations de santé en votre nom.";
    apps_none: "No application has access.", "Aucune application n’a accès.";
    revoke: "End access", "Mettre fin à l’accès";
    role_patient: "Patient or parent", "Patient ou parent";
    role_doctor: "Doctor", "Médecin";
    role_staff: "Staff of a hospital", "Personnel hospitalier";
    role_admin: "Administrator", "Administrateur";
    role_registrar: "Registrar of births", "Officier de l’état civil";
    role_system: "System", "Système";

    // Registration and letters.
    register: "Make an account", "Créer un compte";
    register_text: "For patients and parents. Health professionals get theirs from their \
         facility.",
        "Pour les patients et les parents. Les professionnels de santé reçoivent le leur de leur \
         établissement.";
    registration_closed: "Accounts are made by your facility here.",
        "Les comptes sont créés ici par votre établissement.";
    make_account: "Make the account", "Créer le compte";
    bootstrap: "First administrator", "Premier administrateur";
    bootstrap_text: "Make the first account of this server with the code that it printed at its \
         start.",
        "Créez le premier compte de ce serveur avec le code affiché à son démarrage.";
    bootstrap_code: "Code", "Code";
    account_made: "The account was made", "Le compte a été créé";
    now_sign_in: "You can sign in now.", "Vous pouvez vous connecter maintenant.";
    reset: "New password", "Nouveau mot de passe";
    reset_text: "We send you a letter with a link if there is an account.",
        "Nous vous envoyons un message avec un lien si un compte existe.";
    send_letter: "Send the letter", "Envoyer le message";
    look_at_mail: "Look at your e-mail", "Consultez votre messagerie";
    look_at_mail_text: "If the address is right, a letter is on its way.",
        "Si l’adresse est correcte, un message est en route.";
    confirm_address: "Confirm the address", "Confirmer l’adresse";
    confirm_address_text: "One click, and your account can be used.",
        "Un clic, et votre compte est utilisable.";
    address_confirmed: "Your address is confirmed", "Votre adresse est confirmée";
    code_ended: "This link or code was used before or has expired. Ask for a new one.",
        "Ce lien ou ce code a déjà été utilisé ou a expiré. Demandez-en un nouveau.";
    wrong_email: "This is no e-mail address.", "Ce n’est pas une adresse électronique.";
    wrong_name: "Please enter your name.", "Veuillez saisir votre nom.";
    letter_subject: "Birth Health Network", "Birth Health Network";
    letter_verify: "Hello,\n\nplease confirm your e-mail address within 24 hours:\n\n{}\n\nIf \
         you did not make an account, do nothing.\n",
        "Bonjour,\n\nveuillez confirmer votre adresse électronique dans les 24 heures \
         :\n\n{}\n\nSi vous n’avez pas créé de compte, ne faites rien.\n";
    letter_factor_added: "A way to sign in was added to your account of the Birth Health Network. \
         If that was not you, change your password and remove it: {}",
        "Un moyen de connexion a été ajouté à votre compte du Birth Health Network. Si ce n’était \
         pas vous, changez votre mot de passe et supprimez-le : {}";
    letter_factor_removed: "A way to sign in was removed from your account of the Birth Health \
         Network. If that was not you, change your password: {}",
        "Un moyen de connexion a été supprimé de votre compte du Birth Health Network. Si ce \
         n’était pas vous, changez votre mot de passe : {}";
    letter_factor_held: "A way to sign in will be removed from your account of the Birth Health \
         Network in 24 hours. If that was not you, sign in, keep it, and change your password: {}",
        "Un moyen de connexion sera supprimé de votre compte du Birth Health Network dans 24 \
         heures. Si ce n’était pas vous, connectez-vous, conservez-le et changez votre mot de \
         passe : {}";
    letter_passkey_copied: "A passkey of your account of the Birth Health Network was used in a \
         way that points to a copy, and was refused. Remove it if you do not know why: {}",
        "Une clé d’accès de votre compte du Birth Health Network a été utilisée d’une façon qui \
         indique une copie, et a été refusée. Supprimez-la si vous n’en connaissez pas la \
         raison : {}";
    sessions_idle: "You are signed out after {} minutes without use, and after 12 hours.",
        "Vous êtes déconnecté après {} minutes sans utilisation, et après 12 heures.";
    letter_reset: "Hello,\n\nchoose a new password within 30 minutes:\n\n{}\n\nIf you did not \
         ask for it, do nothing: your password stays.\n",
        "Bonjour,\n\nchoisissez un nouveau mot de passe dans les 30 minutes :\n\n{}\n\nSi vous \
         ne l’avez pas demandé, ne faites rien : votre mot de passe reste le même.\n";
    letter_has_account: "Hello,\n\nsomebody wanted to make an account with your address at {}. \
         You have one already: sign in, or ask for a new password there.\n",
        "Bonjour,\n\nquelqu’un a voulu créer un compte avec votre adresse sur {}. Vous en avez \
         déjà un : connectez-vous, ou demandez-y un nouveau mot de passe.\n";

    // Problems.
    failed: "The server failed. Please try again later.", "Le serveur a échoué. Veuillez \
         réessayer plus tard.";
    busy: "The server is busy. Please try again in a moment.",
        "Le serveur est occupé. Veuillez réessayer dans un instant.";
    not_found: "There is no such page.", "Cette page n’existe pas.";
    not_yours: "You may not do this.", "Vous ne pouvez pas faire cela.";
    not_understood: "What was sent is not understood.", "Ce qui a été envoyé n’est pas compris.";
    not_our_form: "The form has expired or comes from elsewhere. Please go back and reload the \
         page.",
        "Le formulaire a expiré ou vient d’ailleurs. Veuillez revenir en arrière et recharger la \
         page.";
    needs_https: "Signing in needs https. Please tell the operator of this server.",
        "La connexion nécessite https. Veuillez en informer l’exploitant de ce serveur.";
    request_ended: "This request has ended or was answered. Please start again from the \
         application.",
        "Cette demande a pris fin ou a déjà reçu une réponse. Veuillez recommencer depuis \
         l’application.";
    sent_twice: "The application has sent a parameter twice. Please tell its publisher.",
        "L’application a envoyé deux fois un paramètre. Veuillez en informer son éditeur.";
    unknown_app: "The application is not known here. Please tell its publisher.",
        "L’application n’est pas connue ici. Veuillez en informer son éditeur.";
    wrong_redirect: "The application wants to send you to a place that it has not registered. \
         You stay here.",
        "L’application veut vous envoyer à une adresse qu’elle n’a pas déclarée. Vous restez \
         ici.";
}
