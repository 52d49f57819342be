// NovmKit
