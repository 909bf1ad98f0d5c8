"""What the payment page says, in both languages.

A *phase* is what the payer sees: `ready_<kind of action>` when there is something to do, else
the payment's status. `pay.js` moves between the same phases with the same words.
"""

from eishro.errors import Words

# Phase -> headline and what it means for the payer.
PHASES: dict[str, tuple[Words, Words]] = {
    "ready_lightbox": (
        Words("Pay with your bank card", "ادفع ببطاقتك المصرفية"),
        Words(
            "A secure window of the payment gateway opens for your card details. "
            "The shop never sees them.",
            "تُفتح نافذة آمنة من بوابة الدفع لإدخال بيانات البطاقة، ولا يطّلع عليها المتجر.",
        ),
    ),
    "ready_redirect": (
        Words("Continue at the payment gateway", "تابع الدفع لدى بوابة الدفع"),
        Words(
            "You leave this page, pay at the gateway and come back here afterwards.",
            "ستنتقل إلى صفحة بوابة الدفع ثم تعود إلى هنا بعد إتمام العملية.",
        ),
    ),
    "ready_otp": (
        Words("Enter the code you received", "أدخل رمز التحقق"),
        Words(
            "The payment service has sent a code to your phone.",
            "أرسلت خدمة الدفع رمزا إلى هاتفك.",
        ),
    ),
    "ready_offline": (
        Words("How to pay", "طريقة الدفع"),
        Words(
            "Please follow these instructions; your order is updated when the money arrives.",
            "يرجى اتباع التعليمات التالية، وسيُحدَّث طلبك عند وصول المبلغ.",
        ),
    ),
    "created": (
        Words("Preparing your payment", "جارٍ تجهيز عملية الدفع"),
        Words("This takes a few seconds.", "لن يستغرق هذا سوى ثوانٍ."),
    ),
    "processing": (
        Words("Confirming your payment", "جارٍ تأكيد الدفع"),
        Words(
            "We are checking the result with the payment gateway. Please do not pay again.",
            "نتحقق من النتيجة لدى بوابة الدفع. يرجى عدم الدفع مرة أخرى.",
        ),
    ),
    "unknown": (
        Words("The result is not certain yet", "لم تتأكد نتيجة الدفع بعد"),
        Words(
            "Please do not pay again. We keep asking the gateway, and your order is updated "
            "by itself; you may close this page.",
            "يرجى عدم الدفع مرة أخرى. نواصل التحقق لدى بوابة الدفع وسيُحدَّث طلبك تلقائيا، "
            "ويمكنك إغلاق هذه الصفحة.",
        ),
    ),
    "paid": (
        Words("Payment received", "تم الدفع بنجاح"),
        Words("Thank you. Your order is paid.", "شكرا لك، تم سداد قيمة طلبك."),
    ),
    "failed": (
        Words("The payment did not go through", "لم تتم عملية الدفع"),
        Words(
            "The payment gateway refused it. You can try again or choose another way to pay.",
            "رفضت بوابة الدفع العملية. يمكنك المحاولة مرة أخرى أو اختيار طريقة دفع أخرى.",
        ),
    ),
    "cancelled": (
        Words("This payment was given up", "أُغلقت عملية الدفع هذه"),
        Words(
            "You can pay again or choose another way to pay.",
            "يمكنك الدفع مرة أخرى أو اختيار طريقة دفع أخرى.",
        ),
    ),
    "expired": (
        Words("The time to pay is over", "انتهت مهلة الدفع"),
        Words(
            "You can pay again or choose another way to pay. If money was taken from your card, "
            "the shop is told by itself.",
            "يمكنك الدفع مرة أخرى أو اختيار طريقة دفع أخرى. وإذا خُصم المبلغ من بطاقتك فسيعلم "
            "المتجر بذلك تلقائيا.",
        ),
    ),
    "partially_refunded": (
        Words("Part of the payment was returned", "أُعيد جزء من المبلغ"),
        Words("The rest stays with the shop.", "بقية المبلغ لدى المتجر."),
    ),
    "refunded": (
        Words("The payment was returned", "أُعيد المبلغ"),
        Words(
            "The money goes back the way it came; your bank may need some days.",
            "يعود المبلغ بالطريقة التي دُفع بها، وقد يحتاج مصرفك إلى بضعة أيام.",
        ),
    ),
    "voided": (
        Words("The payment was reversed", "أُلغي الخصم"),
        Words("The charge on your card was taken back.", "أُلغي خصم المبلغ من بطاقتك."),
    ),
}

# What the payer is told where an attempt is over and the order cannot be paid here any more.
CLOSED = Words(
    "This order cannot be paid here any more. If money was taken from you, the shop is told by "
    "itself.",
    "لم يعد بالإمكان دفع هذا الطلب من هنا. وإذا خُصم منك مبلغ فسيعلم المتجر بذلك تلقائيا.",
)

# In place of the above, where people of the shop look for the money.
SHOWN: dict[str, tuple[Words, Words]] = {
    "processing": (
        Words("The shop is checking your transfer", "يتحقق المتجر من تحويلك"),
        Words(
            "Thank you. Your order is updated when the money is found on the account. Please do "
            "not pay again; you may close this page.",
            "شكرا لك. سيُحدَّث طلبك عند العثور على المبلغ في الحساب. يرجى عدم الدفع مرة أخرى، "
            "ويمكنك إغلاق هذه الصفحة.",
        ),
    ),
    "failed": (
        Words("The transfer was not found", "لم يُعثر على التحويل"),
        Words(
            "The shop could not match what you sent. Check the details below and send the proof "
            "again, or ask the shop.",
            "لم يتمكن المتجر من مطابقة ما أرسلته. راجع البيانات أدناه وأرسل الإثبات مرة أخرى، أو "
            "تواصل مع المتجر.",
        ),
    ),
}

# What there is to do with cash, in the language of the page and not of whoever ordered.
CASH = Words(
    "Pay {amount} {currency} in cash to the courier.",
    "ادفع {amount} {currency} نقدا لمندوب التوصيل.",
)

# Words that the script alone needs.
NOTICES: dict[str, Words] = {
    "lost": Words(
        "The connection is lost. We keep trying; please do not pay again.",
        "انقطع الاتصال. نواصل المحاولة، فيرجى عدم الدفع مرة أخرى.",
    ),
    "offline": Words(
        "The connection is lost. We try again by ourselves.",
        "انقطع الاتصال. سنعيد المحاولة تلقائيا.",
    ),
    "script": Words(
        "The payment window could not be loaded. Check your connection and try again.",
        "تعذر تحميل نافذة الدفع. تحقق من الاتصال ثم حاول مرة أخرى.",
    ),
    "closed": Words(
        "The payment window was closed before the payment was complete. You can try again.",
        "أُغلقت نافذة الدفع قبل إتمام العملية. يمكنك المحاولة مرة أخرى.",
    ),
    "declined": Words(
        "This attempt did not succeed. You can try again or use another card.",
        "لم تنجح هذه المحاولة. يمكنك المحاولة مرة أخرى أو استخدام بطاقة أخرى.",
    ),
    "busy": Words(
        "Too many requests; please wait a little and try again.",
        "طلبات كثيرة جدا؛ يرجى الانتظار قليلا ثم المحاولة مرة أخرى.",
    ),
    "resent": Words("A new code is on its way.", "تم إرسال رمز جديد."),
    "refused": Words(
        "This could not be done; please try again.", "تعذر تنفيذ ذلك؛ يرجى المحاولة مرة أخرى."
    ),
    "wrong": Words(
        "The code is not right. Please check it and try again.",
        "الرمز غير صحيح. تحقق منه وحاول مرة أخرى.",
    ),
    "length": Words("Please enter the whole code.", "يرجى إدخال الرمز كاملا."),
    "slow": Words(
        "This takes longer than usual. Please do not pay again; you may close this page, "
        "your order is updated by itself.",
        "يستغرق التأكيد وقتا أطول من المعتاد. يرجى عدم الدفع مرة أخرى، ويمكنك إغلاق هذه "
        "الصفحة فسيُحدَّث طلبك تلقائيا.",
    ),
    "lives": Words("The code can be used for {time}.", "الرمز صالح لمدة {time}."),
    "lastMinute": Words(
        "The code can be used for one more minute.", "بقيت دقيقة واحدة لاستخدام الرمز."
    ),
    "ranOut": Words(
        "The code has run out; ask for a new one.", "انتهت صلاحية الرمز؛ اطلب رمزا جديدا."
    ),
    "codeIs": Words("The code {fault}.", "الرمز {fault}."),
    "tries": Words("Tries left: {n}", "المحاولات المتبقية: {n}"),
    "returned": Words(
        "You are back from the gateway, and no payment is known yet. If you paid there, wait a "
        "little; it shows here by itself. If not, you can go on.",
        "عدت من بوابة الدفع ولم يُعرف دفع بعد. إذا كنت قد دفعت هناك فانتظر قليلا وستظهر النتيجة "
        "هنا تلقائيا، وإلا فيمكنك المتابعة.",
    ),
    "copied": Words("Copied", "تم النسخ"),
    "notCopied": Words("Not copied", "تعذر النسخ"),
    "missing": Words("Please fill this in.", "يرجى ملء هذا الحقل."),
    "large": Words("The picture is larger than 5 MB.", "حجم الصورة أكبر من 5 ميغابايت."),
    "sendingProof": Words("Sending…", "جارٍ الإرسال…"),
    "shown": Words("The shop has your proof.", "وصل الإثبات إلى المتجر."),
    "opening": Words("Opening…", "جارٍ الفتح…"),
    "sending": Words("Checking…", "جارٍ التحقق…"),
    "again": Words("Try again", "حاول مرة أخرى"),
}

# Those that only one kind of action says.
NOTICES_OF: dict[str, tuple[str, ...]] = {
    "lightbox": ("script", "closed", "declined", "opening"),
    "redirect": ("returned",),
    "otp": (
        "resent",
        "wrong",
        "length",
        "sending",
        "lives",
        "lastMinute",
        "ranOut",
        "codeIs",
        "tries",
    ),
    "offline": ("copied", "notCopied", "missing", "large", "sendingProof", "shown"),
}

# Words of the script that begins another attempt.
AGAIN: dict[str, Words] = {
    "lost": Words(
        "The connection is lost; nothing was begun. Please try again.",
        "انقطع الاتصال ولم يبدأ الدفع. يرجى المحاولة مرة أخرى.",
    ),
    "busy": NOTICES["busy"],
    "missing": NOTICES["missing"],
    "refused": NOTICES["refused"],
    "starting": Words("One moment…", "لحظة من فضلك…"),
}

# Words of the page itself.
LABELS: dict[str, Words] = {
    "title": Words("Payment", "الدفع"),
    "secure": Words("Secure payment", "دفع آمن"),
    "amount": Words("Amount", "المبلغ"),
    "order": Words("Order", "رقم الطلب"),
    "method": Words("Method", "طريقة الدفع"),
    "until": Words("Pay before", "ادفع قبل"),
    "pay": Words("Pay", "ادفع"),
    "continue": Words("Continue to payment", "الانتقال إلى صفحة الدفع"),
    "code": Words("One-time code", "رمز التحقق"),
    "confirm": Words("Confirm payment", "تأكيد الدفع"),
    "resend": Words("Send a new code", "إرسال رمز جديد"),
    "back": Words("Back to the shop", "العودة إلى المتجر"),
    "close": Words(
        "You can close this page and go back to the shop.",
        "يمكنك إغلاق هذه الصفحة والعودة إلى المتجر.",
    ),
    "choose": Words("How would you like to pay?", "كيف تود الدفع؟"),
    "start": Words("Continue", "متابعة"),
    "keep": Words("Do not pay now", "ليس الآن"),
    "ask_phone": Words("Phone of the wallet", "رقم هاتف المحفظة"),
    "ask_birthYear": Words("Year of birth", "سنة الميلاد"),
    "ask_card": Words("Card number of the wallet", "رقم بطاقة المحفظة"),
    "another": Words("Choose another way to pay", "اختر طريقة دفع أخرى"),
    "again": Words("Pay again or choose another way", "ادفع مجددا أو اختر طريقة أخرى"),
    "copy": Words("Copy", "نسخ"),
    "unchecked": Words(
        "This account number has no check digits: please compare each digit.",
        "لا يحتوي رقم الحساب على خانات تحقق: يرجى مقارنة كل رقم بعناية.",
    ),
    "qr": Words("Code to scan with your bank's app", "رمز يُمسح بتطبيق المصرف"),
    "scan": Words("Scan it with your bank's app, or", "امسحه بتطبيق مصرفك، أو"),
    "save": Words("save the picture", "احفظ الصورة"),
    "proof": Words("I have sent the money", "لقد أرسلت المبلغ"),
    "proof_senderName": Words("Name of the sender", "اسم المحوِّل"),
    "proof_bank": Words("Bank of the sender", "مصرف المحوِّل"),
    "proof_date": Words("Day of the transfer", "تاريخ التحويل"),
    "proof_bankReference": Words("Number of the transfer", "رقم عملية التحويل"),
    "proof_file": Words("Picture of the receipt", "صورة الإيصال"),
    "optional": Words("(if you have one)", "(إن وُجدت)"),
    "show_proof": Words("Send the proof", "إرسال الإثبات"),
    "noscript": Words(
        "This page needs JavaScript to run the payment. Please switch it on and reload.",
        "تحتاج هذه الصفحة إلى تفعيل جافاسكربت لإتمام الدفع. يرجى تفعيله ثم إعادة التحميل.",
    ),
    "broken": Words(
        "The page was not loaded completely. Please check your connection and reload.",
        "لم تُحمَّل الصفحة كاملة. يرجى التحقق من الاتصال ثم إعادة التحميل.",
    ),
    "reload": Words("Reload", "إعادة التحميل"),
}

METHODS: dict[str, Words] = {
    "moamalat": Words("Local bank card (Moamalat)", "بطاقة مصرفية محلية (معاملات)"),
    "plutu_cards": Words("Local bank card (Plutu)", "بطاقة مصرفية محلية (بلوتو)"),
    "plutu_mpgs": Words("Visa or Mastercard (Plutu)", "فيزا أو ماستركارد (بلوتو)"),
    "plutu_tlync": Words("T-Lync (Plutu)", "تي لينك (بلوتو)"),
    "plutu_sadad": Words("Sadad (Plutu)", "سداد (بلوتو)"),
    "plutu_edfali": Words("Edfali (Plutu)", "ادفع لي (بلوتو)"),
    "tlync": Words("T-Lync (Tadawul)", "تي لينك (تداول)"),
    "tadawul": Words("T-Lync (Tadawul)", "تي لينك (تداول)"),
    "sadad": Words("Sadad (Almadar)", "سداد (المدار)"),
    "edfali": Words("Edfali", "ادفع لي"),
    "mobicash": Words("MobiCash", "موبي كاش"),
    "onepay": Words("OnePay", "ون باي"),
    "1pay": Words("OnePay", "ون باي"),
    "mpgs": Words("Visa or Mastercard", "فيزا أو ماستركارد"),
    "lypay_qr": Words("LYPay QR", "رمز LYPay"),
    "bank_transfer": Words("Bank transfer", "حوالة مصرفية"),
    "cod": Words("Cash on delivery", "الدفع عند الاستلام"),
}
