import { z } from '@hono/zod-openapi'

/** Counted as the database counts them, an emoji being one, and after the normalisation that it does not do. */
function isName(text: string): boolean {
  const length = [...text].length
  return length >= 1 && length <= 50 && text.isWellFormed() && !/\p{Cc}/u.test(text)
}

const NOT_AN_ID = 'must be an integer from 1 to 65535'

const fields = {
  city: z
    .string('must be a text')
    .normalize('NFC')
    .refine(isName, 'must have 1 to 50 characters, and no control characters')
    .openapi({
      description: '1 to 50 characters once it is in Unicode normalisation form C, in which it is stored.',
      minLength: 1,
      maxLength: 50,
      pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$',
      example: 'Atlantis',
    }),
  countryId: z
    .number(NOT_AN_ID)
    .refine((id) => Number.isInteger(id) && id >= 1 && id <= 65_535, NOT_AN_ID)
    .openapi({ type: 'integer', minimum: 1, maximum: 65_535, description: 'The id of a country.', example: 102 }),
}

export const newCitySchema = z.strictObject(fields, 'must be an object').openapi('NewCity')

export const cityChangeSchema = z
  .strictObject({ city: fields.city.optional(), countryId: fields.countryId.optional() }, 'must be an object')
  .refine((change) => Object.keys(change).length > 0, 'must have a field that is to change')
  .openapi('CityChange', { minProperties: 1 })
