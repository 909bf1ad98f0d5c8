// Refusals in EISHRO's error shape: HTTP status, stable code, words in both languages.

const WORDS = {
  BAD_REQUEST: { en: 'The request cannot be read.', ar: 'تعذرت قراءة الطلب.' },
  NOT_FOUND: { en: 'There is no such thing here.', ar: 'لا يوجد شيء بهذا العنوان.' },
  PAYLOAD_TOO_LARGE: { en: 'The request is too large.', ar: 'الطلب كبير جدا.' },
  UNSUPPORTED_MEDIA_TYPE: { en: 'Send JSON.', ar: 'أرسل البيانات بصيغة JSON.' },
  VALIDATION_ERROR: { en: 'Some members are not valid.', ar: 'بعض القيم غير صحيحة.' },
  OUT_OF_STOCK: {
    en: 'Some items are not available in the quantity you want.',
    ar: 'بعض المنتجات غير متوفرة بالكمية المطلوبة.',
  },
  IDEMPOTENCY_KEY_REUSED: {
    en: 'This key was used for another request.',
    ar: 'استخدم هذا المفتاح لطلب آخر.',
  },
  RATE_LIMITED: { en: 'Too many requests.', ar: 'طلبات كثيرة جدا.' },
}

export class Refusal extends Error {
  constructor(status, code, details) {
    super(code)
    this.status = status
    this.code = code
    this.words = WORDS[code]
    this.details = details
  }
}

export const notFound = () => new Refusal(404, 'NOT_FOUND')
export const invalid = (details) => new Refusal(422, 'VALIDATION_ERROR', details)
