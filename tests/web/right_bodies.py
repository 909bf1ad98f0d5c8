"""One right request body for each route that takes one, with every member that it may have.

They fit a fresh database, where the first store, product, variant and category have the id 1.
"""

from typing import Any

from tests.shops import PASSWORD, order_body

_PRODUCT = {
    "name": "قميص", "nameEn": "Shirt", "price": 25.5, "compareAtPrice": 30, "description": "x",
    "category": "قمصان", "images": ["/media/a.webp"], "sizes": ["S"], "stock": 3,
    "colors": [{"name": "أحمر", "value": "#f00"}], "inStock": True, "status": "draft",
    "weightGrams": 300,
    "variants": [{"options": {"size": "S"}, "sku": "A-1", "price": 26, "stock": 1, "weightGrams": 250}],
}  # fmt: skip
_SETTINGS = {
    "shipping": {
        "defaultRate": 5,
        "freeAbove": 100,
        "codRounding": 0.25,
        "pickup": {"enabled": True, "address": "x"},
    },
    "paymentMethods": ["cod"],
    "contact": {"phone": "0912345678", "email": "a@example.ly", "address": "x"},
    "business": {
        "legalName": "شركة النور",
        "registerNumber": "12345",
        "licenceNumber": "L-9",
        "taxNumber": "T-1",
        "address": "x",
        "phone": "0912345678",
        "showsTax": True,
    },
    "returnUrl": "https://shop.example.ly/",
    "returnOrigins": ["https://www.example.ly"],
}
# Switched off, so that it does not change what the others' orders cost.
_ZONE = {
    "name": "طرابلس",
    "nameEn": "Tripoli",
    "places": ["طرابلس", "LY-BA", "west"],
    "isActive": False,
    "position": 3,
    "rates": [
        {
            "method": "standard",
            "rate": 15,
            "freeAbove": 300,
            "codFee": 2.5,
            "codAllowed": True,
            "weightSteps": [{"upToGrams": 5000, "extra": 0}, {"upToGrams": 9000, "extra": 4}],
            "perKilogram": {"aboveGrams": 9000, "extra": 1.5},
            "daysMin": 1,
            "daysMax": 3,
        },
        {"method": "express", "rate": 25},
    ],
}
_DISCOUNT = {
    "name": "عرض", "kind": "buy_x_get_y", "value": 50, "buyQuantity": 2, "getQuantity": 1,
    "usesPerOrderMax": 3, "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z",
    "minimum": 20.5, "usageLimit": 10, "perCustomerLimit": 1, "active": True, "stackable": False,
    "scope": {
        "kind": "products", "ids": [1], "excludedProducts": [1], "excludedCategories": [1],
    },
}  # fmt: skip
_ADDRESS = {
    "name": "فاطمة علي", "phone": "0912345678", "city": "طرابلس", "address": "شارع الجمهورية",
    "label": "البيت", "area": "حي الأندلس", "landmark": "أمام المسجد", "notes": "x",
    "pin": {"latitudeMicrodegrees": 32887209, "longitudeMicrodegrees": 13191338},
    "isDefault": True,
}  # fmt: skip
_DRAFT: dict[str, Any] = {
    "items": [{"productId": 1, "quantity": 1, "variantId": 1}],
    "customer": {"name": "فاطمة علي", "phone": "0912345678", "email": "buyer@example.ly"},
    "shipping": {
        "city": "طرابلس", "address": "شارع الجمهورية", "area": "x", "notes": "x",
        "method": "standard",
    },
    "payment": {"method": "cod"}, "couponCode": "x", "notes": "x", "manualDiscount": 1.5,
    "shippingCost": 2.25, "note": "x",
}  # fmt: skip
# One right body for each route that takes one.
RIGHT_BODIES: dict[str, dict[str, Any]] = {
    "POST /api/stores/{store_id}/payments/{payment_id}/verify": {
        "amount": 35.5, "bankReference": "FT26015A7K2Q", "date": "2026-01-15", "note": "x",
    },
    "POST /api/stores/{store_id}/payments/{payment_id}/reject": {"reason": "none came"},
    "POST /api/stores/{store_id}/payments/{payment_id}/settle": {
        "outcome": "failed", "note": "none came", "providerReference": "TX-1",
    },
    "POST /api/auth/register": {
        "email": "new@example.ly", "password": PASSWORD, "accountType": "merchant",
        "firstName": "x", "lastName": "y", "phone": "0912345678",
        "store": {"name": "متجر", "slug": "new-store"},
    },
    "POST /api/auth/login": {"email": "nobody@example.ly", "password": PASSWORD},
    "POST /api/auth/refresh": {"refreshToken": "x"},
    "POST /api/auth/logout": {"refreshToken": "x"},
    "POST /api/auth/verify-email": {"token": "x"},
    "POST /api/auth/resend-verification": {"email": "nobody@example.ly"},
    "POST /api/auth/forgot-password": {"email": "nobody@example.ly"},
    "POST /api/auth/reset-password": {"token": "x", "password": PASSWORD},
    "PUT /api/auth/password": {
        "currentPassword": PASSWORD, "password": "another long password",
    },
    "PUT /api/auth/email": {"currentPassword": PASSWORD, "email": "next@example.ly"},
    "POST /api/auth/reauthenticate": {"password": PASSWORD, "otp": "123456"},
    "POST /api/auth/2fa/setup": {"currentPassword": PASSWORD, "otp": "123456"},
    "POST /api/auth/2fa/enable": {"currentPassword": PASSWORD, "otp": "123456"},
    "POST /api/auth/2fa/disable": {"currentPassword": PASSWORD, "otp": "123456"},
    "POST /api/auth/oauth/complete": {"ticket": "x", "otp": "123456"},
    "POST /api/stores/{store_id}/staff": {"email": "invited@example.ly", "role": "orders"},
    "PUT /api/stores/{store_id}/staff/{user_id}": {"role": "catalog"},
    "POST /api/invitations/accept": {
        "token": "x", "password": PASSWORD, "firstName": "x", "lastName": "y",
    },
    "POST /api/stores/{store_id}/api-keys": {
        "name": "x", "scopes": ["orders:read"], "expiresAt": "2099-01-01T00:00:00Z",
    },
    "PUT /api/admin/users/{user_id}": {"role": "customer", "isActive": True},
    "POST /api/admin/users/{user_id}/act-as": {"reason": "a test"},
    "PUT /api/admin/stores/{store_id}/approve": {"reason": "a test"},
    "PUT /api/admin/stores/{store_id}/reject": {"reason": "a test"},
    "PUT /api/admin/stores/{store_id}/suspend": {"reason": "a test"},
    "PUT /api/auth/profile": {"firstName": "x", "lastName": "y", "phone": "0912345678"},
    "POST /api/stores": {
        "name": "متجر", "nameEn": "Shop", "slug": "a-store", "description": "x",
        "logo": "/media/a.webp", "categories": ["قمصان"], "settings": _SETTINGS,
    },
    "PUT /api/stores/{store_id}": {
        "name": "متجر", "nameEn": "Shop", "slug": "other-slug", "description": "x",
        "logo": "/media/a.webp", "settings": _SETTINGS, "isActive": True,
    },
    "POST /api/stores/{store_id}/categories": {
        "name": "أحذية", "nameEn": "Shoes", "slug": "shoes", "parentId": 1, "position": 1,
    },
    "PUT /api/stores/{store_id}/categories/{category_id}": {
        "name": "أحذية", "nameEn": "Shoes", "slug": "shoes", "parentId": None, "position": 1,
    },
    "POST /api/stores/{store_id}/products": _PRODUCT,
    "PUT /api/products/{product_id}": {**_PRODUCT, "status": "active"},
    "POST /api/stores/{store_id}/shipping-zones": _ZONE,
    "PUT /api/stores/{store_id}/shipping-zones/{zone_id}": _ZONE,
    "POST /api/auth/addresses": _ADDRESS,
    "PUT /api/auth/addresses/{address_id}": _ADDRESS,
    "POST /api/auth/phone/start": {"phone": "0912345678"},
    "POST /api/auth/phone/confirm": {"code": "123456"},
    "POST /api/auth/erase": {"password": PASSWORD, "otp": "123456"},
    "POST /api/stores/{store_id}/customers/{phone}/erase": {"reason": "a test"},
    "POST /api/stores/{store_id}/coupons": {"code": "عيد ٢٠", **_DISCOUNT},
    "PUT /api/stores/{store_id}/coupons/{coupon_id}": {"code": "EID-30", **_DISCOUNT},
    "POST /api/stores/{store_id}/promotions": {**_DISCOUNT, "priority": 5},
    "PUT /api/stores/{store_id}/promotions/{promotion_id}": {**_DISCOUNT, "priority": -5},
    "POST /api/stores/{store_id}/quote": order_body(1, 1, 1, "cod"),
    "POST /api/stores/{store_id}/orders": {**order_body(1, 1, 1, "cod"), "notes": "x"},
    "POST /api/checkout": {
        **{name: order_body(1, 1, 1, "cod")[name] for name in ("customer", "shipping", "payment")},
        "orders": [
            {"storeId": 1, "items": [{"productId": 1, "quantity": 1, "variantId": 1}], "notes": "x"}
        ],
    },
    "PUT /api/stores/{store_id}/bank-account": {
        "beneficiary": "متجر", "bank": "مصرف الجمهورية", "iban": "LY83002048000020100120361",
        "currentPassword": PASSWORD, "otp": "123456",
    },
    "POST /api/stores/{store_id}/payouts": {"amount": 5},
    "PUT /api/stores/{store_id}/suspense/{suspense_id}/assign": {"userId": 1},
    "PUT /api/stores/{store_id}/suspense/{suspense_id}/resolve": {
        "action": "apply", "orderId": "ord_0",
    },
    "PUT /api/admin/payouts/{payout_id}/reject": {"reason": "a test"},
    "PUT /api/admin/payouts/{payout_id}/pay": {"reference": "FT-1"},
    "PUT /api/admin/stores/{store_id}/commission": {"percent": 2.5, "reason": "a test"},
    "POST /api/stores/{store_id}/drafts": _DRAFT,
    "PUT /api/stores/{store_id}/drafts/{draft_id}": _DRAFT,
    "POST /api/orders/{order_id}/notes": {"text": "x"},
    "PUT /api/orders/{order_id}/items": {"items": [{"variantId": 1, "quantity": 1}], "note": "x"},
    "PUT /api/orders/{order_id}/address": {
        "shipping": {**_DRAFT["shipping"], "address": "شارع عمر المختار"}, "note": "x",
    },
    "PUT /api/orders/{order_id}/status": {"status": "confirmed", "note": "x"},
    "PUT /api/orders/{order_id}/cancel": {"reason": "x"},
    "POST /api/orders/{order_id}/refunds": {
        "reason": "damaged", "amount": 1, "delivery": True,
        "lines": [{"quantity": 1, "position": 0, "variantId": 1}],
    },
    "POST /api/orders/{order_id}/refunds/{refund_id}/complete": {
        "note": "paid out", "reference": "R-1", "through": "gateway",
    },
    "POST /api/orders/{order_id}/refunds/{refund_id}/retry": {},
    "POST /api/orders/{order_id}/shipments": {
        "carrier": "amyal", "service": "express", "trackingNumber": "AMY-284510", "note": "x",
        "lines": [{"variantId": 1, "quantity": 1}],
    },
    "PUT /api/shipments/{shipment_id}": {
        "status": "picked_up", "trackingNumber": "AMY-284511", "note": "x",
    },
    "POST /api/orders/{order_id}/cod/collect": {
        "amount": 35.5, "courier": "amyal", "collectedAt": "2020-01-01T00:00:00Z",
        "shipmentId": "shp_" + "0" * 26,
    },
    "POST /api/stores/{store_id}/cod/cases/{case_id}/resolve": {
        "resolution": "dismiss", "note": "x",
    },
    "POST /api/stores/{store_id}/cod/remittances/rows": {
        "carrier": "amyal", "reference": "R-7", "dryRun": False,
        "rows": [{"trackingNumber": "AMY-1", "amount": 35.5, "fee": 5, "date": "2026-01-15"}],
    },
    "POST /api/orders/{order_id}/returns": {
        "lines": [{"variantId": 1, "quantity": 1, "reason": "x"}], "reason": "x",
        "replacement": [{"productId": 1, "variantId": 1, "quantity": 1}],
    },
    "PUT /api/returns/{return_id}/approve": {"note": "x"},
    "PUT /api/returns/{return_id}/reject": {"note": "x"},
    "PUT /api/returns/{return_id}/receive": {
        "lines": [{"variantId": 1, "outcome": "written_off"}], "note": "x",
    },
    "PUT /api/stores/{store_id}/risk-rules": {
        "phoneHours": 24, "phoneReviewAbove": 900, "phoneRefuseAbove": 1000, "addressHours": 24,
        "addressReviewAbove": 900, "cardHours": 168, "cardReviewAbove": 900, "declinesHours": 24,
        "declinesReviewAbove": 900, "codReviewAbove": 900000.5, "newBuyerReviewAbove": 900000,
        "refusalsReviewFrom": 900, "refusalsRefuseFrom": None,
    },
    "PUT /api/stores/{store_id}/order-reviews/{review_id}/approve": {"reason": "x"},
    "PUT /api/stores/{store_id}/order-reviews/{review_id}/reject": {"reason": "a test"},
    "POST /api/orders/{order_id}/payments": {
        "method": "moamalat", "returnUrl": "/thanks", "phone": "0912345678",
        "birthYear": 1990, "card": "1234",
    },
    "POST /api/payments/{payment_id}/otp": {"code": "123456"},
    "POST /pay/{payment_id}/again": {
        "method": "moamalat", "phone": "0912345678", "birthYear": 1990, "card": "1234",
    },
    "PUT /api/stores/{store_id}/gateways/{provider}": {
        "mode": "live",
        "fields": {"merchant_id": "10000000001", "terminal_id": "10000001", "secret_key": "ab12"},
    },
    "POST /api/moamalat/hash": {
        "AmountTrxn": "1000", "MerchantReference": "x", "TrxDateTime": "202601151030",
        "MID": "1", "TID": "1",
    },
}  # fmt: skip

# An id of each kind that paths name, of things that are not there.
NOBODYS: dict[str, Any] = {
    "store_id": "999999",
    "product_id": "999999",
    "category_id": "999999",
    "user_id": "999999",
    "order_id": "ord_0",
    "payment_id": "pay_0",
    "provider": "moamalat",
    "key": "x.webp",
    "name": "pay.css",
    "session_id": "ses_0",
    "invitation_id": "inv_0",
    "key_id": "key_0",
    "zone_id": "zon_0",
    "coupon_id": "prm_0",
    "promotion_id": "prm_0",
    "refund_id": "ref_0",
    "shipment_id": "shp_0",
    "case_id": "cas_0",
    "remittance_id": "rem_0",
    "payout_id": "pyo_0",
    "suspense_id": "sus_0",
    "return_id": "ret_0",
    "number": "CN-000001",
    "address_id": "adr_0",
    "phone": "+218910000000",
    "draft_id": "drf_0",
    "proof_id": "prf_0",
    "statement_id": "sta_0",
    "review_id": "rev_0",
}
